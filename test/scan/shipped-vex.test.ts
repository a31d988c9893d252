// SPDX-License-Identifier: Apache-2.0
// The statements that ship: each has reasons, and is about the very version that the lock names now.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PackageURL } from "packageurl-js";
import { debianPurl } from "../../builder/evidence/provenance.ts";
import { readLock } from "../../builder/release/lock.ts";
import { readScanSubjects } from "../../builder/scan/bom-components.ts";
import { createMatcher, isSuppressed } from "../../builder/scan/match.ts";
import { matchesPurl, parseOpenVex } from "../../builder/scan/openvex.ts";
import { parseOsv } from "../../builder/scan/osv.ts";
import { vexProblems } from "../../builder/scan/vex-use.ts";
import { ROOT } from "../structure/tracked-files.ts";

const DIR = join(ROOT, "sbom/vex");
const statements = readdirSync(DIR)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => parseOpenVex(JSON.parse(readFileSync(join(DIR, name), "utf8")), name, true));
const locked = readLock().packages.map(debianPurl);

test("statements that ship have reasons and name a version", () => {
  assert.ok(statements.length > 0);
  for (const { file, justification, impact, components } of statements) {
    assert.ok(justification !== undefined && (impact ?? "").length > 40, file);
    for (const purl of components) assert.ok(PackageURL.fromString(purl).version, `${file}: ${purl} has no version`);
  }
});

test("no statement that ships has expired: the lock has the version that it is about", () => {
  const debian = statements.flatMap(({ file, components }) => components.map((purl) => ({ file, purl })));
  const expired = debian.filter(({ purl }) => purl.startsWith("pkg:deb/") && !locked.some((p) => matchesPurl(purl, p)));
  assert.deepEqual(expired, []);
  assert.ok(!locked.some((p) => matchesPurl("pkg:deb/debian/systemd-boot-efi@1", p)), "an expired one would be seen");
});

test("a statement that ships takes its finding out of the count, in its own version only", () => {
  const purl = locked.find((p) => p.startsWith("pkg:deb/debian/systemd-boot-efi@")) ?? "";
  const subjects = (version: string): ReturnType<typeof readScanSubjects> => {
    const own = purl.replace(/@[^?]+/, `@${version}`);
    return readScanSubjects({ bomFormat: "CycloneDX", components: [{ purl: `${own}&upstream=systemd` }] }, "bom");
  };
  const affected = [
    {
      package: { ecosystem: "Debian:13", name: "systemd" },
      ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }] }],
    },
  ];
  const entry = parseOsv({ id: "DEBIAN-CVE-2013-4392", modified: "2025-01-01T00:00:00Z", affected }, "db");
  const current = PackageURL.fromString(purl).version ?? "";
  for (const [version, isOut] of [
    [current, true],
    ["300-1", false],
  ] as const) {
    const { components } = subjects(version);
    const matcher = createMatcher(components, statements);
    matcher.add(entry);
    assert.deepEqual(matcher.findings().map(isSuppressed), [isOut]);
    const use = { statements, components, findings: matcher.findings(), seen: matcher.seen() };
    assert.deepEqual(vexProblems(use), []);
  }
});
