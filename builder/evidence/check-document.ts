// SPDX-License-Identifier: Apache-2.0
// Checks one readable document against the artifact that it lies beside: is it about this file, and does it agree with
// itself and with the other documents. Nothing here says who wrote it.
import { describeBootTests, readBootTests } from "./boot-test.ts";
import type { EvidenceSet } from "./checks.ts";
import { sha256 } from "../layout/digest.ts";
import { invalidEvidence, parseJsonObject } from "./json.ts";
import { documentSuffix } from "./kinds.ts";
import type { StatementKind } from "./kinds.ts";
import { readProvenance } from "./read-provenance.ts";
import { sbomFacts } from "./sbom-facts.ts";
import { expectStatement, parseStatement } from "./statement.ts";

export interface EvidenceDocument {
  readonly kind: StatementKind;
  /** File name, for messages. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Returns what holds, as text. Throws EVIDENCE_INVALID. `minimumCoverage` is in percent. */
export function checkDocument(
  document: EvidenceDocument,
  set: EvidenceSet,
  minimumCoverage: number | undefined,
): string {
  const { kind, file, bytes } = document;
  switch (kind) {
    case "cdx":
    case "spdx":
      return checkSbom(kind, document, set, kind === "cdx" ? minimumCoverage : undefined);
    case "provenance":
      return checkProvenance(document, set);
    case "boot-test": {
      const statement = parseStatement(bytes, file);
      expectStatement(statement, kind, set.artifact.digest, file);
      return describeBootTests(readBootTests(statement, file), file);
    }
    default:
      return kind satisfies never;
  }
}

/** The smallest coverage is asked of CycloneDX only: SPDX has no place to state one. */
function checkSbom(
  kind: "cdx" | "spdx",
  { file, bytes }: EvidenceDocument,
  set: EvidenceSet,
  minimumCoverage: number | undefined,
): string {
  const { digest, components, coverage } = sbomFacts(kind, parseJsonObject(bytes, file), file);
  if (digest !== set.artifact.digest)
    throw invalidEvidence(file, "described file", digest, `${set.artifact.digest}, that of the artifact`);
  if (minimumCoverage !== undefined && (coverage ?? -1) < minimumCoverage)
    throw invalidEvidence(file, "coverage", coverage ?? "none stated", `${minimumCoverage} percent or more`);
  const count = components === 1 ? "1 component" : `${components} components`;
  return `describes this file: ${count}${coverage === undefined ? "" : `, coverage ${coverage} %`}`;
}

function checkProvenance({ file, bytes }: EvidenceDocument, set: EvidenceSet): string {
  const statement = parseStatement(bytes, file);
  expectStatement(statement, "provenance", set.artifact.digest, file);
  const provenance = readProvenance(statement, file);
  if (provenance.size !== set.size)
    throw invalidEvidence(file, "plan", `${provenance.size} bytes`, `${set.size} bytes, the size of the artifact`);
  for (const kind of ["cdx", "spdx"] as const) {
    const stated = provenance.byproducts.get(`${provenance.subject.name}${documentSuffix(kind)}`)?.digest;
    const beside = set.files.get(documentSuffix(kind));
    if (stated === undefined || beside === undefined || sha256(beside) === stated) continue;
    throw invalidEvidence(file, `byproduct ${kind}`, `SHA-256 ${sha256(beside)} beside the artifact`, stated);
  }
  const { planId, release, dependencies } = provenance;
  const inputs = `${dependencies.size} inputs by digest`;
  return `states how this file was built: plan ${planId.slice(0, 12)}, release ${release.slice(0, 12)}, ${inputs}`;
}
