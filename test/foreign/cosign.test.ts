// SPDX-License-Identifier: Apache-2.0
// cosign judges what we sign, and we judge what cosign signs: with keys of both makers, and keyless.
import assert from "node:assert/strict";
import { createPrivateKey, createVerify, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { keylessSigner } from "../../builder/commands/sign-keyless.ts";
import { parseBundle } from "../../builder/evidence/bundle.ts";
import { NO_WITNESS } from "../../builder/evidence/signer.ts";
import type { Signer } from "../../builder/evidence/signer.ts";
import { generateKeyFiles } from "../../builder/evidence/generate-key.ts";
import { keyHint } from "../../builder/evidence/key-source.ts";
import type { KeySource } from "../../builder/evidence/key-source.ts";
import { KEY_TYPES } from "../../builder/evidence/kinds.ts";
import { pemKeySource, privateKeySource, readPublicKey } from "../../builder/evidence/pem-key.ts";
import { verifyBundle } from "../../builder/evidence/verify-bundle.ts";
import type { ReadArtifact } from "../../builder/evidence/verify-bundle.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { ARTIFACT, makeEvidence } from "../evidence/evidence-samples.ts";
import { IDENTITY, ISSUER, identityToken, startSigstore } from "../evidence/sigstore-services.ts";
import type { Judge, JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "cosign-"));
after(() => rmSync(dir, { recursive: true }));

const PASSWORD = "correct horse";
const at = (name: string): string => join(dir, name);
const [IMAGE, TAMPERED] = [at("a.img"), at("tampered.img")];
let run: Judge;

/** Runs in `dir`, with the password and without a network. */
async function cosign(...argv: readonly string[]): Promise<JudgeResult> {
  return run(["env", "-C", dir, `COSIGN_PASSWORD=${PASSWORD}`, "cosign", ...argv], [dir]);
}

before(async () => {
  run = await judge();
  writeFileSync(IMAGE, ARTIFACT);
  writeFileSync(TAMPERED, Buffer.concat([ARTIFACT, Buffer.of(0)]));
  writeFileSync(at("empty-root.json"), '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}');
  const made = await cosign("generate-key-pair");
  assert.equal(made.exitCode, 0, made.stderr);
});

const KEYS: readonly (readonly [name: string, open: () => Promise<KeySource>])[] = [
  ["cosign's own encrypted", () => pemKeySource(readFileSync(at("cosign.key")), "cosign.key", async () => PASSWORD)],
  ["a P-256", async () => privateKeySource(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey, "ec")],
  ["an RSA", async () => privateKeySource(generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey, "rsa")],
];

/** cosign's name of each type. */
const TYPES = { provenance: "slsaprovenance1", cdx: "cyclonedx", spdx: "spdxjson" } as const;

async function writeSigned(signer: Signer): Promise<void> {
  for (const [suffix, bytes] of await makeEvidence(signer)) writeFileSync(IMAGE + suffix, bytes);
}

function byKey(command: string, bundle: string, ...more: readonly string[]): Promise<JudgeResult> {
  const trust = ["--new-bundle-format", "--insecure-ignore-tlog", "--trusted-root", at("empty-root.json")];
  return cosign(command, "--key", at("key.pub"), "--bundle", bundle, ...trust, ...more);
}

for (const [name, open] of KEYS) {
  test(`cosign verifies what we sign with ${name} key, and not what was changed`, async () => {
    const key = await open();
    writeFileSync(at("key.pub"), key.publicKey.export({ type: "spki", format: "pem" }));
    await writeSigned({ key, certificate: undefined, witness: NO_WITNESS });
    const signature = await byKey("verify-blob", `${IMAGE}.sigstore.json`, IMAGE);
    assert.deepEqual([signature.exitCode, /Verified OK/.test(signature.stderr)], [0, true], signature.stderr);
    assert.notEqual((await byKey("verify-blob", `${IMAGE}.sigstore.json`, TAMPERED)).exitCode, 0);
    for (const [kind, type] of Object.entries(TYPES)) {
      const bundle = `${IMAGE}.${kind}.sigstore.json`;
      const good = await byKey("verify-blob-attestation", bundle, "--type", type, IMAGE);
      assert.equal(good.exitCode, 0, `${kind}: ${good.stderr}`);
      const bad = await byKey("verify-blob-attestation", bundle, "--type", type, TAMPERED);
      assert.notEqual(bad.exitCode, 0, kind);
    }
  });
}

function artifact(bytes: Buffer): ReadArtifact {
  return { digest: sha256(bytes), verify: createVerify("sha256").update(bytes) };
}

test("we verify what cosign signs, and not what was changed", async () => {
  const options = "--key cosign.key --tlog-upload=false --new-bundle-format --bundle by-cosign.json --yes";
  const signed = await cosign("sign-blob", ...options.split(" "), "a.img");
  assert.equal(signed.exitCode, 0, signed.stderr);
  const publicKey = readPublicKey(readFileSync(at("cosign.pub")), "cosign.pub");
  const trusted = { kind: "key", name: "cosign.pub", publicKey, hint: keyHint(publicKey) } as const;
  const bundle = parseBundle(readFileSync(at("by-cosign.json")), "by-cosign.json");
  assert.equal(verifyBundle(bundle, [trusted], "b", artifact(ARTIFACT)), "cosign.pub");
  assert.throws(() => verifyBundle(bundle, [trusted], "b", artifact(readFileSync(TAMPERED))), {
    code: "EVIDENCE_INVALID",
  });
});

for (const type of KEY_TYPES) {
  test(`cosign signs with a key that we made: ${type}`, async () => {
    const { privateKey, publicKey } = generateKeyFiles(type, PASSWORD, randomBytes);
    writeFileSync(at(`${type}.key`), privateKey);
    writeFileSync(at(`${type}.pub`), publicKey);
    const options = `--key ${type}.key --tlog-upload=false --new-bundle-format --bundle ${type}.json --yes a.img`;
    const signed = await cosign("sign-blob", ...options.split(" "));
    assert.equal(signed.exitCode, 0, signed.stderr);
    const key = readPublicKey(readFileSync(at(`${type}.pub`)), type);
    const trusted = { kind: "key", name: type, publicKey: key, hint: keyHint(key) } as const;
    const bundle = parseBundle(readFileSync(at(`${type}.json`)), type);
    assert.equal(verifyBundle(bundle, [trusted], "b", artifact(ARTIFACT)), type);
  });
}

test("we refuse cosign's key when the password is wrong", async () => {
  const open = pemKeySource(readFileSync(at("cosign.key")), "cosign.key", async () => "wrong");
  await assert.rejects(open, { code: "KEY_INVALID" });
});

test("cosign verifies what we sign without a key, and not another identity or a changed file", async (t) => {
  const services = await startSigstore(new Date(Date.now() + 2000));
  t.after(services.close);
  const { url, trustedRoot } = services;
  writeFileSync(at("root.json"), trustedRoot);
  await writeSigned(await keylessSigner({ fulcioUrl: url, rekorUrl: url, timestampUrl: url, token: identityToken() }));
  const policy = ["--new-bundle-format", "--trusted-root", at("root.json"), "--use-signed-timestamps"];
  const verify = (command: string, kind: string, identity: string, file: string): Promise<JudgeResult> => {
    const signedBy = ["--certificate-identity", identity, "--certificate-oidc-issuer", ISSUER];
    return cosign(command, "--bundle", `${IMAGE}.${kind}sigstore.json`, ...policy, ...signedBy, file);
  };
  for (const [command, kind] of [
    ["verify-blob", ""],
    ["verify-blob-attestation", "provenance."],
  ] as const) {
    const good = await verify(command, kind, IDENTITY, IMAGE);
    assert.deepEqual([good.exitCode, /Verified OK/.test(good.stderr)], [0, true], good.stderr);
    assert.notEqual((await verify(command, kind, "someone@example.org", IMAGE)).exitCode, 0);
    assert.notEqual((await verify(command, kind, IDENTITY, TAMPERED)).exitCode, 0);
  }
});

test("OpenSSL reads cosign's key once it is open", async () => {
  const key = await pemKeySource(readFileSync(at("cosign.key")), "cosign.key", async () => PASSWORD);
  const found = readPublicKey(readFileSync(at("cosign.pub")), "cosign.pub");
  assert.ok(key.publicKey.equals(found));
  assert.throws(() => createPrivateKey(readFileSync(at("cosign.key"))), "it is not readable without being opened");
});
