// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import * as fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { readScanSubjects } from "../../builder/scan/bom-components.ts";
import { createMatcher, isSuppressed } from "../../builder/scan/match.ts";
import { parseOpenVex } from "../../builder/scan/openvex.ts";
import { parseOsv } from "../../builder/scan/osv.ts";
import { renderCyclonedxVulnerabilities } from "../../builder/scan/report-cyclonedx.ts";
import { renderSarif } from "../../builder/scan/report-sarif.ts";
import { renderScanTable } from "../../builder/scan/report-table.ts";
import type { ScanResult } from "../../builder/scan/scan-result.ts";
import { BOM, HIGH, PURLS, osvEntry, vexDocument } from "./osv-samples.ts";

const SUBJECTS = readScanSubjects(BOM, "bom");

test("readScanSubjects names packages as OSV does", () => {
  assert.deepEqual(
    SUBJECTS.components.map(({ ecosystem, name, version }) => [ecosystem, name, version].join(" ")),
    [
      "Debian:13 grub2 2.12-9",
      "Debian:13 linux 6.12.117-1",
      "Debian:13 systemd 257.8-1~deb13u2",
      "Go golang.org/x/sys 0.30.0",
      "Go stdlib 1.27.0",
    ],
  );
  assert.deepEqual(SUBJECTS.skipped, [PURLS.own]);
});

test("readScanSubjects reads SPDX, and the artifact's digest from CycloneDX", () => {
  const externalRefs = [{ referenceType: "purl", referenceLocator: PURLS.module }, { referenceType: "cpe23Type" }];
  const spdx = { spdxVersion: "SPDX-2.3", packages: [{ externalRefs }, {}] };
  assert.deepEqual(
    readScanSubjects(spdx, "bom").components.map((c) => c.name),
    ["golang.org/x/sys"],
  );
  const hashes = [{ alg: "SHA-256", content: "00" }];
  assert.equal(readScanSubjects({ ...BOM, metadata: { component: { hashes } } }, "bom").artifact, "00");
});

const WRONG_BOMS: readonly (readonly [name: string, bom: unknown])[] = [
  ["no SBOM", {}],
  ["text", "x"],
  ["components that are no list", { bomFormat: "CycloneDX", components: {} }],
  ["a malformed purl", { bomFormat: "CycloneDX", components: [{ purl: "deb/x" }] }],
  ["SPDX 3", { spdxVersion: "SPDX-3.0", packages: [] }],
];
for (const [name, bom] of WRONG_BOMS) {
  test(`readScanSubjects refuses ${name}`, () => {
    assert.throws(() => readScanSubjects(bom, "bom"), { code: "EVIDENCE_INVALID" });
  });
}

const DATABASE = [
  osvEntry("GO-1", { events: [{ introduced: "0" }, { fixed: "0.31.0" }], over: { aliases: ["CVE-1"] } }),
  osvEntry("GO-2", { events: [{ introduced: "0" }, { fixed: "0.30.0" }] }),
  osvEntry("GO-3", { over: { withdrawn: "2026-01-01T00:00:00Z" } }),
  osvEntry("GO-4", { name: "stdlib", events: [{ introduced: "1.27.0-0" }, { fixed: "1.27.1" }] }),
  osvEntry("DEBIAN-1", {
    ecosystem: "Debian:13",
    name: "linux",
    over: { severity: [{ type: "CVSS_V3", score: HIGH }], upstream: ["CVE-2"] },
  }),
  osvEntry("DEBIAN-2", { ecosystem: "Debian:12", name: "linux" }),
  osvEntry("DEBIAN-3", { ecosystem: "Debian:13", name: "grub2", events: [{ introduced: "0" }, { fixed: "2.12-9" }] }),
  osvEntry("NPM-1", { ecosystem: "npm", name: "stdlib" }),
];

const STATEMENTS = [
  {
    vulnerability: { name: "CVE-2" },
    products: [{ "@id": "pkg:generic/dodeka", subcomponents: [{ "@id": PURLS.kernel }] }],
    status: "not_affected",
    justification: "vulnerable_code_not_present",
    impact_statement: "The driver is not built.",
  },
  { vulnerability: { name: "GO-4" }, products: [{ "@id": "pkg:golang/stdlib" }], status: "under_investigation" },
  { vulnerability: { name: "CVE-1" }, products: [{ "@id": "pkg:golang/golang.org/x/net" }], status: "fixed" },
  { vulnerability: { name: "CVE-1" }, products: [{ "@id": "pkg:golang/golang.org/x/sys@v9.0.0" }], status: "fixed" },
];

function scan(statements: readonly object[] = STATEMENTS): ScanResult {
  const matcher = createMatcher(SUBJECTS.components, parseOpenVex(vexDocument(statements), "vex"));
  for (const entry of DATABASE) matcher.add(parseOsv(entry, "db"));
  const { components, skipped } = SUBJECTS;
  const common = { subject: "x.iso", digest: "0".repeat(64), version: "1", entries: DATABASE.length };
  return { ...common, components, skipped, findings: matcher.findings() };
}

test("a scan finds what is affected, worst first, and applies statements", () => {
  const lines = scan().findings.map((f) => {
    return [f.severity, f.id, f.component.name, f.fixed, f.vex?.status, isSuppressed(f)].join(" ");
  });
  assert.deepEqual(lines, [
    "unknown GO-1 golang.org/x/sys 0.31.0  false",
    "unknown GO-4 stdlib 1.27.1 under_investigation false",
    "high DEBIAN-1 linux  not_affected true",
  ]);
});

test("the last statement about a finding counts", () => {
  const affected = { vulnerability: { name: "CVE-2" }, products: [{ "@id": PURLS.kernel }], status: "affected" };
  assert.equal(scan([...STATEMENTS, affected]).findings.some(isSuppressed), false);
});

test("the table shows open findings and reasons", () => {
  const table = renderScanTable(scan());
  assert.match(
    table,
    /^x\.iso: 2 open, 1 suppressed \(5 components looked up in 8 entries, 1 without an ecosystem\)\n/,
  );
  assert.match(table, /unknown +GO-1 \(CVE-1\) +Go golang\.org\/x\/sys +0\.30\.0 +0\.31\.0 +summary of GO-1\n/);
  assert.match(table, /DEBIAN-1 \(CVE-2\) .*not_affected +vulnerable_code_not_present: The driver is not built\.\n/);
});

test("the CycloneDX report is valid and says what the analysis is", async () => {
  const text = renderCyclonedxVulnerabilities(scan());
  const problem = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  assert.equal(problem, null);
  const { vulnerabilities } = JSON.parse(text) as { vulnerabilities: { id: string; analysis?: { state: string } }[] };
  assert.deepEqual(
    vulnerabilities.map((v) => `${v.id} ${v.analysis?.state ?? ""}`),
    ["GO-1 ", "GO-4 in_triage", "DEBIAN-1 not_affected"],
  );
});

test("the SARIF report refers to its rules and suppresses with a reason", () => {
  const { version, runs } = JSON.parse(renderSarif(scan())) as {
    version: string;
    runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[] }[];
  };
  assert.equal(version, "2.1.0");
  const [run] = runs;
  for (const result of run?.results ?? []) {
    assert.equal(run?.tool.driver.rules[Number(result["ruleIndex"])]?.id, result["ruleId"]);
  }
  const reasons = run?.results.map((r) => (r["suppressions"] as { justification: string }[])[0]?.justification);
  assert.deepEqual(reasons, [undefined, undefined, "vulnerable_code_not_present: The driver is not built."]);
});

const WRONG_STATEMENTS: readonly (readonly [name: string, over: object])[] = [
  ["no reason for not_affected", { status: "not_affected", justification: undefined, impact_statement: undefined }],
  ["an unknown justification", { justification: "because" }],
  ["an unknown status", { status: "fine" }],
  ["no vulnerability", { vulnerability: {} }],
  ["no products", { products: [] }],
  ["a product that is no purl", { products: [{ "@id": "dodeka" }] }],
];
for (const [name, over] of WRONG_STATEMENTS) {
  test(`parseOpenVex refuses ${name}`, () => {
    assert.throws(() => parseOpenVex(vexDocument([{ ...STATEMENTS[0], ...over }]), "vex"), {
      code: "EVIDENCE_INVALID",
    });
  });
}

const WRONG_ENTRIES: readonly (readonly [name: string, over: object])[] = [
  ["no id", { id: undefined }],
  ["an id with a line break", { id: "X\n1" }],
  ["affected that is no list", { affected: {} }],
  ["a package without a name", { affected: [{ package: { ecosystem: "Go" } }] }],
  ["a range of an unknown type", { affected: [{ package: { ecosystem: "Go", name: "x" }, ranges: [{ type: "X" }] }] }],
  ["an alias of a megabyte", { aliases: ["x".repeat(1_000_000)] }],
  ["more packages than a bound", { affected: Array.from({ length: 20_001 }, () => ({})) }],
  [
    "an event of no kind",
    { affected: [{ package: { ecosystem: "Go", name: "x" }, ranges: [{ type: "SEMVER", events: [{ x: "1" }] }] }] },
  ],
];
for (const [name, over] of WRONG_ENTRIES) {
  test(`parseOsv refuses ${name}`, () => {
    assert.throws(() => parseOsv(osvEntry("X-1", { over }), "db"), { code: "EVIDENCE_INVALID" });
  });
}

test("any JSON is matched or refused, and nothing else happens", () => {
  const arbitrary = fc.oneof(
    fc.jsonValue(),
    fc.jsonValue().map((affected) => osvEntry("X-1", { over: { affected: [affected] } })),
    fc
      .jsonValue()
      .map((range) =>
        osvEntry("X-1", { over: { affected: [{ package: { ecosystem: "Go", name: "stdlib" }, ranges: [range] }] } }),
      ),
    fc.array(fc.record({ introduced: fc.string() })).map((events) => osvEntry("X-1", { events })),
  );
  fc.assert(
    fc.property(arbitrary, (value) => {
      try {
        createMatcher(SUBJECTS.components, []).add(parseOsv(value, "db"));
      } catch (error) {
        assert.ok(error instanceof FactoryError && error.code === "EVIDENCE_INVALID", String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
