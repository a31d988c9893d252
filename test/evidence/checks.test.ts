// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBundle, renderBundle, signArtifact, signStatement } from "../../builder/evidence/bundle.ts";
import type { Check, Demands } from "../../builder/evidence/checks.ts";
import { checkEvidence, problemsOf } from "../../builder/evidence/checks.ts";
import { CHECK_KINDS } from "../../builder/evidence/kinds.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { ARTIFACT, NAME, cycloneDx, evidenceSet, keyPair, makeEvidence, makeRebuild } from "./evidence-samples.ts";

const { signer, trusted } = keyPair("release.pub");
const stranger = keyPair("stranger.pub");
const good = await makeEvidence(signer);
const OTHER = Buffer.from("console=ttyS1 panic=30");
const other = await makeEvidence(signer, OTHER);
const strict: Demands = { signers: [trusted], require: CHECK_KINDS, minimumCoverage: 99 };

function check(files: ReadonlyMap<string, Uint8Array>, demands: Demands = strict, artifact?: Buffer): readonly Check[] {
  return checkEvidence(evidenceSet(files, artifact), demands);
}

/** State by suffix, of rows that are not ok. */
function wrong(checks: readonly Check[]): Record<string, string> {
  return Object.fromEntries(
    checks.filter(({ state }) => state !== "ok").map(({ file, state }) => [file.slice(NAME.length), state]),
  );
}

function without(suffix: string): Map<string, Buffer> {
  return new Map([...good].filter(([name]) => name !== suffix));
}

function replaced(suffix: string, bytes: Uint8Array | string): Map<string, Buffer> {
  return new Map([...good, [suffix, Buffer.from(bytes)]]);
}

test("checkEvidence proves everything when nothing is wrong", () => {
  const checks = check(good);
  assert.deepEqual(wrong(checks), {});
  assert.equal(checks.length, good.size);
  assert.deepEqual(problemsOf(checks), []);
});

test("checkEvidence fails every row that is about the artifact when any one bit of it changed", () => {
  for (let bit = 0; bit < 8 * ARTIFACT.length; bit++) {
    const changed = Buffer.from(ARTIFACT);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const checks = check(good, strict, changed);
    assert.deepEqual(new Set(checks.map(({ state }) => state)), new Set(["failed"]), `bit ${bit}`);
    assert.equal(checks.length, good.size);
  }
});

for (const suffix of good.keys()) {
  test(`checkEvidence fails when ${suffix} is that of another artifact`, () => {
    const found = wrong(check(replaced(suffix, other.get(suffix) ?? "")));
    assert.equal(found[suffix], "failed");
  });
  test(`checkEvidence misses ${suffix} when it is required`, () => {
    const checks = check(without(suffix));
    assert.equal(wrong(checks)[suffix], "missing");
    assert.equal(problemsOf(checks)[0]?.code, "EVIDENCE_MISSING");
  });
}

test("checkEvidence refuses a key that nobody trusts, whatever it signed", async () => {
  const found = check(await makeEvidence(stranger.signer));
  const signed = found.filter(({ file }) => file.endsWith(".sigstore.json"));
  assert.deepEqual(new Set(signed.map(({ state }) => state)), new Set(["failed"]));
  assert.equal(signed.length, 6);
});

test("checkEvidence refuses a stranger's signature under a trusted hint", async () => {
  const bundle = JSON.parse(renderBundle(await signArtifact(sha256(ARTIFACT), stranger.signer))) as Hinted;
  bundle.verificationMaterial.publicKey.hint = trusted.kind === "key" ? trusted.hint : "";
  assert.deepEqual(wrong(check(replaced(".sigstore.json", JSON.stringify(bundle)))), { ".sigstore.json": "failed" });
});

interface Hinted {
  verificationMaterial: { publicKey: { hint: string } };
}

test("checkEvidence refuses a statement of another kind under the right signature", () => {
  const found = check(replaced(".cdx.sigstore.json", good.get(".provenance.sigstore.json") ?? ""));
  assert.deepEqual(wrong(found), { ".cdx.sigstore.json": "failed" });
  assert.equal(problemsOf(found)[0]?.details.field, "predicateType");
});

test("checkEvidence refuses a statement where a signature must be, and the other way round", () => {
  const swapped = new Map(good);
  swapped.set(".sigstore.json", good.get(".provenance.sigstore.json") ?? Buffer.alloc(0));
  swapped.set(".provenance.sigstore.json", good.get(".sigstore.json") ?? Buffer.alloc(0));
  assert.deepEqual(wrong(check(swapped)), { ".sigstore.json": "failed", ".provenance.sigstore.json": "failed" });
});

test("checkEvidence notices a document that is not the one that was signed", () => {
  const text = JSON.stringify({ ...cycloneDx(ARTIFACT), serialNumber: "other" });
  const found = wrong(check(replaced(".cdx.json", text)));
  assert.deepEqual(found, { ".cdx.sigstore.json": "failed", ".provenance.json": "failed" });
});

test("checkEvidence refuses an SBOM below the smallest coverage, or that states none", () => {
  for (const coverage of ["98.9%", "all", "100.5%"]) {
    const found = check(replaced(".cdx.json", JSON.stringify(cycloneDx(ARTIFACT, coverage))));
    const problem = problemsOf(found).find(({ details }) => details.field === "coverage");
    assert.equal(problem?.code, "EVIDENCE_INVALID", coverage);
  }
});

test("checkEvidence leaves a second builder alone whom nobody trusts, unless one is required", async () => {
  const files = replaced(".rebuild.sigstore.json", await makeRebuild(stranger.signer, good));
  const require = CHECK_KINDS.filter((kind) => kind !== "rebuild");
  const lenient = check(files, { ...strict, require });
  assert.deepEqual(wrong(lenient), { ".rebuild.sigstore.json": "not checked" });
  assert.deepEqual(problemsOf(lenient), []);
  assert.deepEqual(wrong(check(files)), { ".rebuild.sigstore.json": "failed" });
});

test("checkEvidence refuses a second build that followed another provenance", async () => {
  const files = replaced(".rebuild.sigstore.json", await makeRebuild(signer, other));
  assert.deepEqual(wrong(check(files)), { ".rebuild.sigstore.json": "failed" });
});

test("checkEvidence says what it did not check when nobody is trusted", () => {
  const demands: Demands = { signers: [], require: ["checksum", "provenance"], minimumCoverage: undefined };
  const found = wrong(check(good, demands));
  assert.deepEqual(
    new Set(Object.entries(found).map(([name, state]) => `${state}: ${name.endsWith(".sigstore.json")}`)),
    new Set(["not checked: true"]),
  );
  assert.equal(Object.keys(found).length, 6);
});

test("checkEvidence lists files that it knows nothing about", () => {
  assert.deepEqual(wrong(check(replaced(".vex.json", "{}"))), { ".vex.json": "not checked" });
});

test("checkEvidence catches every flipped bit of a sample over every file", () => {
  for (const [suffix, bytes] of good) {
    const step = Math.max(1, Math.floor(bytes.length / 150));
    for (let at = 0; at < bytes.length; at += step) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const problems = problemsOf(check(replaced(suffix, changed)));
      assert.ok(problems.length > 0, `${suffix}: bit ${at % 8} of byte ${at}`);
    }
  }
});

test("checkEvidence catches every truncation of a sample over every file", () => {
  for (const [suffix, bytes] of good) {
    for (const part of [0, 0.1, 0.5, 0.9]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * part));
      assert.ok(problemsOf(check(replaced(suffix, cut))).length > 0, `${suffix} cut to ${cut.length}`);
    }
    assert.ok(problemsOf(check(replaced(suffix, bytes.subarray(0, -2)))).length > 0, suffix);
  }
});

test("checkEvidence refuses a second signature, a second subject and an older bundle", async () => {
  const attestation = JSON.parse(String(good.get(".provenance.sigstore.json"))) as {
    mediaType: string;
    dsseEnvelope: { signatures: object[] };
  };
  const [first] = attestation.dsseEnvelope.signatures;
  const twice = { ...attestation, dsseEnvelope: { ...attestation.dsseEnvelope, signatures: [first, first] } };
  const old = { ...attestation, mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2" };
  for (const bundle of [twice, old]) {
    const found = wrong(check(replaced(".provenance.sigstore.json", JSON.stringify(bundle))));
    assert.deepEqual(found, { ".provenance.sigstore.json": "failed" });
  }
  const statement = JSON.parse(String(good.get(".provenance.json"))) as { subject: object[] };
  const payload = JSON.stringify({ ...statement, subject: [...statement.subject, ...statement.subject] });
  const signed = renderBundle(await signStatement(Buffer.from(payload), signer));
  const found = wrong(check(replaced(".provenance.sigstore.json", signed)));
  assert.deepEqual(found, { ".provenance.sigstore.json": "failed" });
});

test("bundles of equal keys and digests are equal, and read back", async () => {
  const [a, b] = [await signArtifact(sha256("x"), signer), await signArtifact(sha256("x"), signer)].map(renderBundle);
  assert.equal(a, b);
  assert.equal(renderBundle(parseBundle(Buffer.from(a ?? ""), "a")), a);
});
