// SPDX-License-Identifier: Apache-2.0
// A scan as SARIF: one rule for each vulnerability, one result for each component that has it; suppressed results carry
// their justification. Spec: SARIF 2.1.0 (OASIS), sections 3.27, 3.35 and 3.49.
import type { Finding } from "./match.ts";
import { isSuppressed, reasonOf } from "./match.ts";
import type { ScanResult } from "./scan-result.ts";

const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";
/** What GitHub and others read as the rule's severity, 0.0 to 10.0. */
const SCORES = { unknown: "10.0", critical: "9.5", high: "8.0", medium: "5.5", low: "2.0", none: "0.0" } as const;
const LEVELS = {
  unknown: "error",
  critical: "error",
  high: "error",
  medium: "warning",
  low: "note",
  none: "none",
} as const;

export function renderSarif(result: ScanResult): string {
  const byId = new Map(result.findings.map((f) => [f.id, f]));
  const rules = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const indexes = new Map(rules.map(({ id }, index) => [id, index]));
  const run = {
    tool: {
      driver: {
        name: "dodeka",
        version: result.version,
        rules: rules.map(ruleOf),
      },
    },
    artifacts: [{ location: { uri: encodeURIComponent(result.subject) }, ...hashOf(result) }],
    results: result.findings.map((f) => resultOf(f, indexes.get(f.id) ?? -1, result.subject)),
  };
  return `${JSON.stringify({ $schema: SCHEMA, version: "2.1.0", runs: [run] }, null, 2)}\n`;
}

function hashOf({ digest }: ScanResult): object {
  return digest === undefined ? {} : { hashes: { "sha-256": digest } };
}

function ruleOf({ id, aliases, summary, severity }: Finding): object {
  return {
    id,
    shortDescription: { text: summary === "" ? id : summary },
    helpUri: `https://osv.dev/vulnerability/${encodeURIComponent(id)}`,
    properties: { "security-severity": SCORES[severity], tags: ["security", ...aliases] },
  };
}

function resultOf(finding: Finding, ruleIndex: number, subject: string): object {
  const { id, component, fixed, severity, vex } = finding;
  const remedy = fixed === undefined ? "no fixed version is known" : `fixed in ${fixed}`;
  const why = reasonOf(finding);
  const suppression = { kind: "external", status: "accepted", justification: why === "" ? (vex?.status ?? "") : why };
  return {
    ruleId: id,
    ruleIndex,
    level: LEVELS[severity],
    message: { text: `${component.name} ${component.version} (${component.purl}) has ${id}; ${remedy}` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: encodeURIComponent(subject), index: 0 } },
        logicalLocations: [{ fullyQualifiedName: component.purl, kind: "module" }],
      },
    ],
    partialFingerprints: { "purl/v1": component.purl },
    suppressions: isSuppressed(finding) ? [suppression] : [],
  };
}
