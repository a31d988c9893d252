// SPDX-License-Identifier: Apache-2.0
// A scan as a CycloneDX document of vulnerabilities and the components they are in, with our analysis of each.
// Spec: CycloneDX 1.6, "vulnerabilities".
import type { Finding } from "./match.ts";
import type { ScanResult } from "./scan-result.ts";

const STATES = {
  not_affected: "not_affected",
  fixed: "resolved",
  affected: "exploitable",
  under_investigation: "in_triage",
} as const;

/** The words of OpenVEX in those of CycloneDX. */
const JUSTIFICATIONS: Readonly<Record<string, string>> = {
  component_not_present: "code_not_present",
  vulnerable_code_not_present: "code_not_present",
  vulnerable_code_not_in_execute_path: "code_not_reachable",
  vulnerable_code_cannot_be_controlled_by_adversary: "requires_environment",
  inline_mitigations_already_exist: "protected_by_mitigating_control",
};

export function renderCyclonedxVulnerabilities(result: ScanResult): string {
  const affected = new Map(result.findings.map(({ component }) => [component.purl, component]));
  const byId = new Map<string, Finding[]>();
  for (const finding of result.findings) byId.set(finding.id, [...(byId.get(finding.id) ?? []), finding]);
  const hashes = result.digest === undefined ? {} : { hashes: [{ alg: "SHA-256", content: result.digest }] };
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      tools: { components: [{ type: "application", name: "dodeka", version: result.version }] },
      component: { type: "firmware", "bom-ref": "artifact", name: result.subject, ...hashes },
    },
    components: [...affected.values()].map(({ purl, name, version }) => ({
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
    })),
    vulnerabilities: [...byId.values()].flatMap(groupByAnalysis).map(vulnerabilityOf),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** One vulnerability may be analysed differently in two components: it is then listed twice. */
function groupByAnalysis(findings: readonly Finding[]): readonly (readonly Finding[])[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.vex?.status, finding.vex?.justification, finding.vex?.impact]);
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()];
}

function vulnerabilityOf(findings: readonly Finding[]): object {
  const [first] = findings;
  if (first === undefined) return {};
  const { id, aliases, summary, severity, vectors } = first;
  const url = `https://osv.dev/vulnerability/${encodeURIComponent(id)}`;
  const vector = vectors.find((v) => /^CVSS:3\.[01]\//.test(v));
  const method = vector?.startsWith("CVSS:3.0") === true ? "CVSSv3" : "CVSSv31";
  return {
    id,
    source: { name: "OSV", url },
    references: aliases.map((alias) => ({ id: alias, source: { name: "OSV" } })),
    ratings: [{ severity, ...(vector === undefined ? {} : { method, vector }) }],
    ...(summary === "" ? {} : { description: summary }),
    ...analysisOf(first),
    affects: findings.map(({ component }) => ({ ref: component.purl })),
  };
}

function analysisOf({ vex }: Finding): object {
  if (vex === undefined) return {};
  const justification = JUSTIFICATIONS[vex.justification ?? ""];
  return {
    analysis: {
      state: STATES[vex.status],
      ...(justification === undefined ? {} : { justification }),
      ...(vex.impact === undefined ? {} : { detail: vex.impact }),
    },
  };
}
