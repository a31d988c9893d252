// SPDX-License-Identifier: Apache-2.0
// dodeka scan: known vulnerabilities of an artifact (by the SBOM beside it) or of an SBOM, from an OSV database in a
// directory, a ZIP archive or a JSON file. Offline. Exit code 1: open findings at or above --fail-on.
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError, FactoryErrors } from "../errors.ts";
import { EVIDENCE_MAX_BYTES, invalidEvidence, parseJson } from "../evidence/json.ts";
import { streamArtifact } from "../host/evidence-files.ts";
import { readBounded } from "../host/read-bounded.ts";
import { readScanSubjects } from "../scan/bom-components.ts";
import type { Finding } from "../scan/match.ts";
import { createMatcher, isAtLeast, isSuppressed } from "../scan/match.ts";
import type { VexStatement } from "../scan/openvex.ts";
import { vexProblems } from "../scan/vex-use.ts";
import { parseOpenVex } from "../scan/openvex.ts";
import { renderCyclonedxVulnerabilities } from "../scan/report-cyclonedx.ts";
import { renderSarif } from "../scan/report-sarif.ts";
import { renderScanTable } from "../scan/report-table.ts";
import type { FAIL_ON, SCAN_FORMATS, ScanResult } from "../scan/scan-result.ts";
import type { SEVERITIES } from "../scan/severity.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";
import { readOsvDatabase } from "./scan-database.ts";

const VEX_DIR = fileURLToPath(new URL("../../sbom/vex", import.meta.url));
const VEX_MAX_BYTES = 16 << 20;

export interface ScanOptions {
  /** An artifact with its SBOM beside it, or an SBOM. */
  readonly target: string;
  readonly database: string;
  /** OpenVEX files besides those that ship. */
  readonly vex: readonly string[];
  readonly format: (typeof SCAN_FORMATS)[number];
  readonly failOn: (typeof FAIL_ON)[number];
}

export async function runScan(context: CommandContext, options: ScanOptions): CommandResult {
  const { sbom, artifact } = await findSbom(options.target);
  const subjects = readScanSubjects(parseJson(await readBounded(sbom, EVIDENCE_MAX_BYTES), sbom), sbom);
  const digest = artifact === undefined ? undefined : await checkArtifact(artifact, sbom, subjects.artifact);
  const statements = await loadStatements(options.vex);
  const matcher = createMatcher(subjects.components, statements);
  const entries = await asStep(context, "match the database", async () => {
    let count = 0;
    await readOsvDatabase(options.database, (entry) => {
      matcher.add(entry);
      count++;
    });
    return count;
  });
  if (entries === 0) throw unusable(options.database, "--db", "no entries", "an OSV database");
  const subject = basename(options.target);
  const findings = matcher.findings();
  const { components, skipped } = subjects;
  const problems = vexProblems({ statements, components, findings, seen: matcher.seen() });
  const result = { subject, digest, version: context.version, components, skipped, entries, findings };
  context.print(render(result, options.format), result);
  if (problems.length > 0) throw new FactoryErrors(problems); // after the findings, which hold all the same
  return isFailure(findings, options.failOn) ? 1 : undefined;
}

function isFailure(findings: readonly Finding[], failOn: ScanOptions["failOn"]): boolean {
  if (failOn === "never") return false;
  const threshold: (typeof SEVERITIES)[number] = failOn === "any" ? "none" : failOn;
  return findings.some((f) => !isSuppressed(f) && isAtLeast(f, threshold));
}

function render(result: ScanResult, format: ScanOptions["format"]): string {
  switch (format) {
    case "table":
      return renderScanTable(result);
    case "json":
      return `${JSON.stringify(result, null, 2)}\n`;
    case "sarif":
      return renderSarif(result);
    case "cyclonedx":
      return renderCyclonedxVulnerabilities(result);
    default:
      return format satisfies never;
  }
}

/** A JSON file is an SBOM; of anything else the SBOM lies beside it. */
async function findSbom(target: string): Promise<{ sbom: string; artifact: string | undefined }> {
  if (target.endsWith(".json")) return { sbom: target, artifact: undefined };
  for (const sbom of [`${target}.cdx.json`, `${target}.spdx.json`]) {
    if ((await stat(sbom).catch(() => undefined))?.isFile() === true) return { sbom, artifact: target };
  }
  throw unusable(target, "SBOM", "none beside it", `${basename(target)}.cdx.json or .spdx.json beside it`);
}

/** The SBOM of another artifact would say nothing about this one. */
async function checkArtifact(artifact: string, sbom: string, expected: string | undefined): Promise<string> {
  const { digest } = await streamArtifact(artifact, false);
  if (expected === undefined || expected === digest) return digest;
  throw invalidEvidence(sbom, "metadata.component.hashes", expected, `${digest}, that of ${basename(artifact)}`);
}

/** Those that ship first: a user's own come later and win. */
async function loadStatements(files: readonly string[]): Promise<readonly VexStatement[]> {
  const shipped = (await readdir(VEX_DIR).catch(() => [])).filter((name) => name.endsWith(".json")).sort();
  const statements: VexStatement[] = [];
  const own = shipped.map((name) => [join(VEX_DIR, name), true] as const);
  for (const [file, isShipped] of [...own, ...files.map((name) => [name, false] as const)]) {
    const value = parseJson(await readBounded(file, VEX_MAX_BYTES), file);
    statements.push(...parseOpenVex(value, basename(file), isShipped));
  }
  return statements;
}

function unusable(file: string, field: string, found: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, field, found, expected, fix: "correct the command line" });
}
