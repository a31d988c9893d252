// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedVersion, isAffected } from "../../builder/scan/affected.ts";
import { parseOsv } from "../../builder/scan/osv.ts";
import { compareSemver } from "../../builder/scan/semver.ts";
import { cvss3Score, severityOf } from "../../builder/scan/severity.ts";
import { osvEntry } from "./osv-samples.ts";

test("compareSemver orders as the specification and Go do", () => {
  const sorted = [
    "0.0.0-20200101000000-abcdef",
    "0.0.0-20260101000000-abcdef",
    "0.9.10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "v1.0.0",
    "1.0.1",
    "1.2",
    "1.10.0",
    "go1.27rc1",
    "1.27.0",
    "1.27.1",
  ];
  for (const [i, a] of sorted.entries())
    for (const [j, b] of sorted.entries()) assert.equal(Math.sign(compareSemver(a, b)), Math.sign(i - j), `${a} ${b}`);
  assert.equal(compareSemver("1.0.0+incompatible", "v1.0.0"), 0);
  assert.equal(compareSemver("1.27", "1.27.0"), 0);
});

const RANGES: readonly (readonly [ecosystem: string, events: readonly object[], yes: string[], no: string[]])[] = [
  ["Go", [{ introduced: "0" }, { fixed: "1.2.0" }], ["0.0.1", "1.1.9", "1.2.0-rc.1"], ["1.2.0", "2.0.0"]],
  ["Go", [{ introduced: "1.0.0" }, { last_affected: "1.1.0" }], ["1.0.0", "1.1.0"], ["0.9.0", "1.1.1"]],
  [
    "Go",
    [{ fixed: "2.3.0" }, { introduced: "0" }, { introduced: "2.0.0" }, { fixed: "1.5.0" }],
    ["1.4.0", "2.0.0", "2.2.9"],
    ["1.5.0", "1.9.9", "2.3.0"],
  ],
  ["Go", [], [], ["1.0.0"]],
  [
    "Debian:13",
    [{ introduced: "0" }, { fixed: "2.12-9+deb13u1" }],
    ["2.12-9", "2.12~rc1-1"],
    ["2.12-9+deb13u1", "1:1-1"],
  ],
  ["Debian:13", [{ introduced: "0" }], ["0~~", "9:9-9"], []],
];

for (const [ecosystem, events, yes, no] of RANGES) {
  test(`isAffected evaluates ${ecosystem} ${JSON.stringify(events)}`, () => {
    const [affected] = parseOsv(osvEntry("X-1", { ecosystem, events }), "test").affected;
    assert.ok(affected !== undefined);
    for (const version of yes) assert.equal(isAffected(version, affected), true, version);
    for (const version of no) assert.equal(isAffected(version, affected), false, version);
  });
}

test("isAffected counts listed versions, and fixedVersion is the next fix", () => {
  const events = [{ introduced: "0" }, { fixed: "1.5.0" }, { introduced: "2.0.0" }, { fixed: "2.3.0" }];
  const [affected] = parseOsv(osvEntry("X-1", { events, versions: ["v9.0.0"] }), "test").affected;
  assert.ok(affected !== undefined);
  assert.equal(isAffected("9.0.0", affected), true);
  assert.deepEqual(
    ["1.0.0", "2.1.0", "9.0.0"].map((v) => fixedVersion(v, affected)),
    ["1.5.0", "2.3.0", undefined],
  );
});

const VECTORS: readonly (readonly [vector: string, score: number | undefined])[] = [
  ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8],
  ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10],
  ["CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8],
  ["CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1],
  ["CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H", 5.9],
  ["CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6],
  ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0],
  ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N", undefined],
  ["CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", undefined],
];

for (const [vector, score] of VECTORS) test(`cvss3Score of ${vector}`, () => assert.equal(cvss3Score(vector), score));

test("severityOf goes by a vector, else by a word, else is unknown", () => {
  assert.equal(severityOf(["CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"], ["LOW"]), "high");
  assert.equal(severityOf(["CVSS:4.0/x"], [undefined, "MODERATE"]), "medium");
  assert.equal(severityOf([], ["unimportant"]), "none");
  assert.equal(severityOf([], ["not yet assigned"]), "unknown");
});
