// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { FactoryError } from "../../builder/errors.ts";
import { parseBundle, renderBundle, signArtifact, signStatement } from "../../builder/evidence/bundle.ts";
import type { Bundle } from "../../builder/evidence/bundle.ts";
import { verifyBundle } from "../../builder/evidence/verify-bundle.ts";
import type { ReadArtifact, TrustedSigner } from "../../builder/evidence/verify-bundle.ts";
import { checkEvidence, problemsOf } from "../../builder/evidence/checks.ts";
import { CHECK_KINDS } from "../../builder/evidence/kinds.ts";
import { keylessSigner } from "../../builder/commands/sign-keyless.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { ARTIFACT, evidenceSet, keyPair, makeEvidence } from "./evidence-samples.ts";
import { IDENTITY, ISSUER, identityToken, startSigstore } from "./sigstore-services.ts";

const services = await startSigstore(new Date(Date.now() + 2000));
const strangers = await startSigstore(new Date(Date.now() + 2000));
after(() => {
  services.close();
  strangers.close();
});

const { url, trustedRoot } = services;
const both = { fulcioUrl: url, rekorUrl: url, timestampUrl: url, token: identityToken() };
const signer = await keylessSigner(both);

type Identity = Extract<TrustedSigner, { kind: "identity" }>;

function trust(change: Partial<Identity> = {}): Identity {
  const thresholds = { logEntries: 1, certificateLogEntries: 1, timestamps: 2 };
  const root = TrustedRoot.fromJSON(JSON.parse(trustedRoot));
  return { kind: "identity", identity: IDENTITY, issuer: ISSUER, root, thresholds, ...change };
}

function signed(bundle: Bundle): Bundle {
  return parseBundle(Buffer.from(renderBundle(bundle)), "b");
}

const artifact = (): ReadArtifact => evidenceSet(new Map()).artifact;
const bundle = signed(await signArtifact(sha256(ARTIFACT), signer));

test("a keyless build proves everything that a policy with an identity requires", async () => {
  const files = await makeEvidence(signer);
  const demands = { signers: [trust()], require: CHECK_KINDS, minimumCoverage: undefined };
  const checks = checkEvidence(evidenceSet(files), demands);
  assert.deepEqual(problemsOf(checks), []);
  assert.equal(checks.filter(({ text }) => text.startsWith(`${IDENTITY} (${ISSUER}) signed`)).length, 6);
});

const REFUSED: readonly (readonly [name: string, trusted: TrustedSigner, why: RegExp])[] = [
  ["another identity", trust({ identity: "someone@example.org" }), /^signed by builder@example.org of issuer/],
  ["an identity that only begins alike", trust({ identity: "builder@example" }), /^signed by builder/],
  ["an identity as a pattern", trust({ identity: "builder@.*" }), /^signed by builder/],
  ["another issuer", trust({ issuer: "https://issuer.example.com" }), /^signed by builder/],
  ["other authorities", trust({ root: TrustedRoot.fromJSON(JSON.parse(strangers.trustedRoot)) }), /timestamp/],
  ["no authorities", trust({ root: TrustedRoot.fromJSON({}) }), /timestamp/],
  ["more timestamps", trust({ thresholds: demand(1, 1, 3) }), /expected 3 timestamps, got 2/],
  ["more log entries", trust({ thresholds: demand(2, 1, 1) }), /expected 2 tlog entries, got 1/],
  ["more of the certificate's log", trust({ thresholds: demand(1, 2, 1) }), /expected 2 SCTs, got 1/],
  ["a key", keyPair("release.pub").trusted, /^a certificate$/],
];

function demand(logEntries: number, certificateLogEntries: number, timestamps: number): Identity["thresholds"] {
  return { logEntries, certificateLogEntries, timestamps };
}

for (const [name, trusted, why] of REFUSED) {
  test(`verifyBundle refuses a certificate when the policy wants ${name}`, () => {
    assert.throws(() => verifyBundle(bundle, [trusted], "b", artifact()), refusal(why));
  });
}

/** The reason counts: a verifier that refuses everything would pass otherwise. */
function refusal(why: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FactoryError && error.code === "EVIDENCE_INVALID");
    assert.match(String(error.details.found), why);
    return true;
  };
}

test("verifyBundle takes the first signer of a policy that fits", () => {
  const who = verifyBundle(bundle, [trust({ issuer: "https://other" }), trust()], "b", artifact());
  assert.equal(who, `${IDENTITY} (${ISSUER})`);
});

test("verifyBundle refuses a certificate without any timestamp, whatever the policy says", () => {
  const material = { ...bundle.verificationMaterial, tlogEntries: [], timestampVerificationData: undefined };
  const bare = { ...bundle, verificationMaterial: material } as Bundle;
  const lax = trust({ thresholds: { logEntries: 0, certificateLogEntries: 0, timestamps: 0 } });
  assert.throws(() => verifyBundle(bare, [lax], "b", artifact()), { code: "EVIDENCE_INVALID" });
});

test("verifyBundle refuses a log entry of another signature, and one that comes twice", async () => {
  const second = signed(await signArtifact(sha256("other"), signer));
  const entries = bundle.verificationMaterial.tlogEntries;
  for (const tlogEntries of [second.verificationMaterial.tlogEntries, [...entries, ...entries]]) {
    const mixed = { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries } } as Bundle;
    assert.throws(() => verifyBundle(mixed, [trust()], "b", artifact()), { code: "EVIDENCE_INVALID" });
  }
});

for (const [name, hours] of [
  ["had expired", -2],
  ["was not valid yet", 2],
] as const) {
  test(`verifyBundle refuses a certificate that ${name} at the time of signing`, async (t) => {
    const elsewhen = await startSigstore(new Date(Date.now() + hours * 3_600_000));
    t.after(elsewhen.close);
    // A certificate of one time, a timestamp of another: both are trusted for their own.
    const mixed = await keylessSigner({ ...both, fulcioUrl: elsewhen.url });
    const [here, there] = [trustedRoot, elsewhen.trustedRoot].map(
      (text) => JSON.parse(text) as Record<string, unknown>,
    );
    const root = TrustedRoot.fromJSON({
      ...here,
      certificateAuthorities: there?.["certificateAuthorities"],
      ctlogs: there?.["ctlogs"],
    });
    const late = signed(await signArtifact(sha256(ARTIFACT), mixed));
    assert.throws(() => verifyBundle(late, [trust({ root })], "b", artifact()), refusal(/certificate/));
  });
}

test("one witness is enough when the policy asks for one timestamp", async () => {
  for (const [rekorUrl, timestampUrl, logEntries] of [
    [url, undefined, 1],
    [undefined, url, 0],
  ] as const) {
    const alone = await keylessSigner({ ...both, rekorUrl, timestampUrl });
    const statement = signed(await signStatement(Buffer.from("{}"), alone));
    assert.ok(verifyBundle(statement, [trust({ thresholds: demand(logEntries, 1, 1) })], "b"));
  }
});

test("keylessSigner refuses to sign without a witness, and says when a service does not answer", async () => {
  await assert.rejects(keylessSigner({ ...both, rekorUrl: undefined, timestampUrl: undefined }), { code: "USAGE" });
  await assert.rejects(keylessSigner({ ...both, token: "a.secret.b" }), (error) => {
    assert.ok(error instanceof FactoryError && error.code === "KEY_INVALID");
    return !inspect(error).includes("secret"); // whatever shows the error must not show the token
  });
  await assert.rejects(keylessSigner({ ...both, fulcioUrl: `${url}/none` }), { code: "NETWORK" });
  for (const service of ["fulcioUrl", "rekorUrl", "timestampUrl"])
    await assert.rejects(keylessSigner({ ...both, [service]: "http://198.51.100.1" }), { code: "USAGE" }, service);
});
