// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { debianPurl, provenanceStatement } from "../../builder/evidence/provenance.ts";
import { readProvenance } from "../../builder/evidence/read-provenance.ts";
import { parseStatement, renderStatement } from "../../builder/evidence/statement.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { planId } from "../../builder/plan/plan.ts";
import { ARTIFACT, NAME, PLAN, provenanceRequest } from "./evidence-samples.ts";

const text = renderStatement(provenanceStatement(provenanceRequest()));
const parsed = (edited: string): ReturnType<typeof parseStatement> => parseStatement(Buffer.from(edited), "p");

test("a provenance reads back as it was written, with what a rebuild needs", () => {
  const provenance = readProvenance(parsed(text), "p");
  const request = provenanceRequest();
  assert.deepEqual(provenance.profile, request.profile);
  assert.deepEqual(provenance.overrides, request.overrides);
  assert.deepEqual(provenance.plan, PLAN);
  assert.deepEqual(
    [provenance.planId, provenance.release, provenance.size, provenance.machineConfig],
    [planId(PLAN), request.release.digest, ARTIFACT.length, null],
  );
  assert.equal(provenance.dependencies.get("package-lock.json")?.digest, sha256("lock"));
});

test("equal builds give equal provenances", () => {
  assert.equal(text, renderStatement(provenanceStatement(provenanceRequest())));
});

test("a provenance names every input by digest", () => {
  const { dependencies } = readProvenance(parsed(text), "p");
  assert.deepEqual([...dependencies.keys()], ["release", "part/kernel", "package-lock.json", "deb/libstdc++6", "node"]);
});

test("debianPurl escapes what purls must escape", () => {
  const [first] = provenanceRequest().packages;
  assert.ok(first !== undefined);
  assert.equal(debianPurl(first), "pkg:deb/debian/libstdc%2B%2B6@2:14.2.0-19+b1?arch=amd64&distro=debian-13");
});

const EDITS: readonly (readonly [name: string, from: string, to: string])[] = [
  ["another build type", "urn:dodeka:build:image:v1", "urn:dodeka:build:image:v2"],
  ["a changed plan", '"commandLine": "console=ttyS0', '"commandLine": "console=ttyS1'],
  ["a fraction in the plan", '"dataBlocks": 7', '"dataBlocks": 7.5'],
  ["an invocation of another plan", "urn:dodeka:plan:", "urn:dodeka:plan:0"],
  ["another output", `"output": "${NAME}"`, '"output": "other"'],
  ["an option that is no text", '"cmdline"\n          ]', "7\n          ]"],
  ["a dependency without digest", sha256("lock"), "none"],
  ["a dependency twice", '"name": "deb/libstdc++6"', '"name": "part/kernel"'],
  ["a dependency that looks like a path", '"name": "package-lock.json"', '"name": "../../etc/passwd"'],
];

for (const [name, from, to] of EDITS) {
  test(`readProvenance refuses ${name}`, () => {
    assert.ok(text.includes(from), "the text to edit is there");
    const statement = parsed(text.replace(from, to));
    assert.throws(() => readProvenance(statement, "p"), { code: "EVIDENCE_INVALID" });
  });
}

const WRONG_STATEMENTS: readonly (readonly [name: string, from: string, to: string])[] = [
  ["an older statement type", "Statement/v1", "Statement/v0.1"],
  ["a subject that is a path", `"name": "${NAME}"`, '"name": "../a"'],
  ["a subject with an odd digest", sha256(ARTIFACT), sha256(ARTIFACT).toUpperCase()],
  ["a further digest of the subject", '"digest": {', '"digest": {"sha1": "00",'],
  ["an unknown member", '"predicateType"', '"extra": 1, "predicateType"'],
  ["a member twice", '"predicateType"', '"predicateType": "x", "predicateType"'],
];

for (const [name, from, to] of WRONG_STATEMENTS) {
  test(`parseStatement refuses ${name}`, () => {
    assert.ok(text.includes(from), "the text to edit is there");
    assert.throws(() => parsed(text.replace(from, to)), { code: "EVIDENCE_INVALID" });
  });
}
