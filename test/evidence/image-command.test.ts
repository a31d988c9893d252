// SPDX-License-Identifier: Apache-2.0
// `dodeka sign` and `dodeka verify` over images in a registry: what is attached, what counts, and what strangers may do.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { runSign } from "../../builder/commands/sign.ts";
import type { AttachedStatement } from "../../builder/commands/sign-image.ts";
import { parseAttachedStatement } from "../../builder/commands/sign-image.ts";
import { runVerify } from "../../builder/commands/verify.ts";
import { statementOf, renderStatement } from "../../builder/evidence/statement.ts";
import type { Sha256 } from "../../builder/layout/digest.ts";
import { errorCodeOf } from "../../builder/report/exit-code.ts";
import type { RegistryOptions, TestRegistry } from "../registry/test-registry.ts";
import { PASSWORD, USER, startRegistry } from "../registry/test-registry.ts";
import { contextFor } from "./command-context.ts";

const dir = mkdtempSync(join(tmpdir(), "images-"));
after(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => join(dir, name);

for (const name of ["release", "stranger"]) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(at(`${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(at(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
}
writeFileSync(at("sbom.json"), JSON.stringify({ bomFormat: "CycloneDX", specVersion: "1.6", components: [] }));

interface Place {
  readonly registry: TestRegistry;
  readonly image: string;
  readonly digest: Sha256;
  readonly env: Record<string, string>;
}

async function start(t: TestContext, options: RegistryOptions = { referrers: true }): Promise<Place> {
  const registry = await startRegistry(options);
  t.after(registry.close);
  const digest = registry.seed("v1", `layer of ${t.name}`) as Sha256;
  const auth = Buffer.from(`${USER}:${PASSWORD}`).toString("base64");
  writeFileSync(at("auth.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
  return {
    registry,
    image: `oci://${registry.host}/team/image:v1`,
    digest,
    env: { REGISTRY_AUTH_FILE: at("auth.json") },
  };
}

async function sign(place: Place, key: string, statements: readonly AttachedStatement[] = []): Promise<void> {
  const signing = { kind: "key", file: at(`${key}.pem`), passwordFile: undefined } as const;
  await runSign(
    contextFor(() => undefined, place.env),
    [place.image],
    signing,
    statements,
  );
}

async function verify(
  place: Place,
  options: { readonly target?: string; readonly policy?: string; readonly keys?: readonly string[] } = {},
): Promise<{ code: string; output: string }> {
  let output = "";
  const context = contextFor((text) => {
    output += text;
  }, place.env);
  const { target = place.image, policy, keys = policy === undefined ? [at("release.pub")] : [] } = options;
  const code = await runVerify(context, { files: [target], policy, keys }).then(() => "ok", errorCodeOf);
  return { code, output };
}

function policyFor(require: string): string {
  const file = at("policy.yaml");
  writeFileSync(file, `format: 1\nsigners: [{key: release.pub}]\nrequire: ${require}\n`);
  return file;
}

for (const [name, options] of [
  ["that lists referrers", { referrers: true }],
  ["that does not", {}],
  ["with tokens and storage elsewhere", { auth: "bearer", storage: true, referrers: true }],
] as const) {
  test(`an image in a registry ${name} is signed and proved`, async (t) => {
    const place = await start(t, options);
    assert.equal((await verify(place)).code, "EVIDENCE_MISSING");
    await sign(place, "release", [["cdx", at("sbom.json")]]);
    const { code, output } = await verify(place);
    assert.equal(code, "ok", output);
    assert.match(output, /^ {2}ok +sha256-\S+\.sig#1 +\S+release\.pub signed this image$/m);
    assert.match(output, /^ {2}ok +referrer \S+ +\S+release\.pub signed this image$/m);
    assert.equal(output.match(/signed a statement about this image: cdx$/gm)?.length, 2, output);
    assert.equal((await verify(place, { policy: policyFor("[signature, cdx]") })).code, "ok");
    assert.equal((await verify(place, { policy: policyFor("[signature, provenance]") })).code, "EVIDENCE_MISSING");
    const byDigest = `oci://${place.registry.host}/team/image@sha256:${place.digest}`;
    assert.equal((await verify(place, { target: byDigest })).code, "ok");
  });
}

test("signing twice adds nothing, and another signer does not remove the first", async (t) => {
  const place = await start(t, {});
  await sign(place, "release");
  const before = [...place.registry.manifests.keys()];
  await sign(place, "release");
  assert.deepEqual([...place.registry.manifests.keys()], before);
  await sign(place, "stranger");
  const { code, output } = await verify(place);
  assert.equal(code, "ok", output);
  assert.match(output, /^ {2}ignored +sha256-\S+\.sig#2 /m);
  assert.equal((await verify(place, { keys: [at("stranger.pub")] })).code, "ok");
});

test("a stranger's signature alone proves nothing", async (t) => {
  const place = await start(t);
  await sign(place, "stranger");
  const { code, output } = await verify(place);
  assert.equal(code, "EVIDENCE_INVALID", output);
  assert.match(output, /not proved/);
});

test("without a key nothing is proved but the digest", async (t) => {
  const place = await start(t);
  await sign(place, "release");
  const { code, output } = await verify(place, { keys: [] });
  assert.equal(code, "ok");
  assert.match(output, /who made it is not proved/);
  assert.doesNotMatch(output, /signed this image/);
});

test("signatures of another image count for nothing when they are moved here", async (t) => {
  const place = await start(t, {});
  await sign(place, "release", [["cdx", at("sbom.json")]]);
  const { registry } = place;
  const other = registry.seed("v2", "another layer");
  for (const suffix of [".sig", ".att", ""]) {
    const moved = registry.manifests.get(`sha256-${place.digest}${suffix}`);
    assert.ok(moved !== undefined, suffix);
    registry.manifests.set(`sha256-${other}${suffix}`, moved);
  }
  const target = `oci://${registry.host}/team/image:v2`;
  const { code, output } = await verify(place, { target, policy: policyFor("[signature, cdx]") });
  assert.equal(code, "EVIDENCE_INVALID", output);
  assert.doesNotMatch(output, /^ {2}ok +(?:sha256|referrer)/m);
});

test("one changed byte of what is attached is refused by its digest", async (t) => {
  const place = await start(t, {});
  await sign(place, "release");
  const { blobs } = place.registry;
  const [digest, bytes] = [...blobs].find(([, b]) => b.includes("simplesigning") || b.includes("critical")) ?? [];
  assert.ok(digest !== undefined && bytes !== undefined);
  const changed = Buffer.from(bytes);
  changed[20] = (changed[20] ?? 0) ^ 1;
  blobs.set(digest, changed);
  assert.equal((await verify(place)).code, "REGISTRY_INVALID");
});

test("sign attaches a provenance of this image, and refuses one of another, having pushed nothing", async (t) => {
  const place = await start(t);
  const boot = (digest: Sha256): string =>
    renderStatement(statementOf("boot-test", { name: "image", digest }, { result: "passed" }));
  writeFileSync(at("boot.json"), boot("0".repeat(64) as Sha256));
  const before = place.registry.manifests.size;
  await assert.rejects(sign(place, "release", [["boot-test", at("boot.json")]]), { code: "EVIDENCE_INVALID" });
  assert.equal(place.registry.manifests.size, before);
  writeFileSync(at("boot.json"), boot(place.digest));
  await sign(place, "release", [["boot-test", at("boot.json")]]);
  assert.equal((await verify(place, { policy: policyFor("[signature, boot-test]") })).code, "ok");
});

test("an image in a layout on disk is proved, and never signed", async (t) => {
  const place = await start(t, {});
  await sign(place, "release");
  const { manifests, blobs } = place.registry;
  const layout = at("layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const write = (digest: string, bytes: Buffer): void =>
    writeFileSync(join(layout, "blobs/sha256", digest.replace("sha256:", "")), bytes);
  const entries = [...manifests].flatMap(([key, { type, bytes }]) => {
    if (key.startsWith("sha256:")) write(key, bytes);
    const digest = [...manifests].find(([k, m]) => k.startsWith("sha256:") && m.bytes === bytes)?.[0];
    const annotations = key.startsWith("sha256:") ? {} : { "org.opencontainers.image.ref.name": key };
    return [{ mediaType: type, digest, size: bytes.length, annotations }];
  });
  for (const [digest, bytes] of blobs) write(digest, bytes);
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  for (const target of [`oci-layout:${layout}:v1`, `oci-layout:${layout}@sha256:${place.digest}`]) {
    const { code, output } = await verify(place, { target });
    assert.equal(code, "ok", output);
    assert.match(output, /sha256-\S+\.sig#1/);
    await assert.rejects(sign({ ...place, image: target }, "release"), { code: "USAGE" });
  }
  assert.equal((await verify(place, { target: `oci-layout:${layout}:v2` })).code, "REGISTRY_REFUSED");
  assert.equal((await verify(place, { target: `oci-layout:${layout}` })).code, "USAGE");
  assert.equal((await verify(place, { target: `oci-layout:${at("none")}:v1` })).code, "USAGE");
});

test("an image that is not there, and options that do not fit, are named", async (t) => {
  const place = await start(t);
  const target = `oci://${place.registry.host}/team/image:none`;
  assert.equal((await verify(place, { target })).code, "REGISTRY_REFUSED");
  assert.throws(() => parseAttachedStatement("sbom=x"), { code: "USAGE" });
  assert.deepEqual(parseAttachedStatement("cdx=a=b"), ["cdx", "a=b"]);
  const signing = { kind: "key", file: at("release.pem"), passwordFile: undefined } as const;
  const both = runSign(
    contextFor(() => undefined),
    [place.image, at("file")],
    signing,
    [["cdx", "x"]],
  );
  await assert.rejects(both, { code: "USAGE" });
});
