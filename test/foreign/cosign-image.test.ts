// SPDX-License-Identifier: Apache-2.0
// cosign judges what we attach to images, in both of its forms, and we judge what cosign attaches. The registry is
// Debian's docker-registry, which knows no referrers, and our own of the tests, which does; oras reads the same lists.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runSign } from "../../builder/commands/sign.ts";
import { runVerify } from "../../builder/commands/verify.ts";
import { sandboxArgv } from "../../builder/host/sandbox.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { EMPTY_CONFIG, MANIFEST_TYPE, renderArtifactManifest } from "../../builder/layout/oci-manifest.ts";
import { openHttp } from "../../builder/registry/http.ts";
import { openRepository, pushBlob, pushManifest } from "../../builder/registry/registry.ts";
import { contextFor } from "../evidence/command-context.ts";
import { IDENTITY, ISSUER, identityToken, startSigstore } from "../evidence/sigstore-services.ts";
import { startRegistry } from "../registry/test-registry.ts";
import type { Judge, JudgeResult } from "./judge.ts";
import { judge, openBox } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "cosign-image-"));
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
  rmSync(dir, { recursive: true });
});
const at = (name: string): string => join(dir, name);
const PASSWORD = "correct horse";
let run: Judge;
let own: string; // hosts of the two registries
let docker: string;

before(async () => {
  run = await judge(true);
  const registry = await startRegistry({ referrers: true });
  closers.push(registry.close);
  own = registry.host;
  docker = await startDockerRegistry();
  writeFileSync(at("empty-root.json"), '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}');
  writeFileSync(at("sbom.json"), JSON.stringify({ bomFormat: "CycloneDX", specVersion: "1.6", components: [] }));
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(at("ours.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(at("ours.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const made = await cosign("generate-key-pair");
  assert.equal(made.exitCode, 0, made.stderr);
});

async function startDockerRegistry(): Promise<string> {
  const port = await freePort();
  mkdirSync(at("registry"));
  const config = `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${at("registry")}}}\n`;
  writeFileSync(at("registry.yml"), `${config}http: {addr: "127.0.0.1:${port}"}\n`);
  const { root } = await openBox("judges");
  const binds = [{ host: dir, inside: dir, writable: true }];
  const command = { argv: ["docker-registry", "serve", at("registry.yml")], binds, network: true };
  const [file = "", ...argv] = sandboxArgv(root, command, process.getuid?.() === 0);
  const child = spawn(file, argv, { env: {}, stdio: "ignore" });
  closers.push(() => child.kill());
  const host = `127.0.0.1:${port}`;
  for (let i = 0; i < 100; i++) {
    if (
      await fetch(`http://${host}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return host;
    await sleep(100);
  }
  throw new Error("docker-registry does not answer");
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function cosign(...argv: readonly string[]): Promise<JudgeResult> {
  return run(["env", "-C", dir, `COSIGN_PASSWORD=${PASSWORD}`, "cosign", ...argv], [dir]);
}

/** Pushes a small image with our client. Returns `host/name@sha256:…`. */
async function pushImage(host: string, content: string): Promise<string> {
  const repository = openRepository({ http: openHttp(), credentials: new Map() }, host, "team/image");
  const bytes = Buffer.from(content);
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: sha256(bytes), size: bytes.length };
  const manifest = renderArtifactManifest({
    artifactType: "application/vnd.example",
    layers: [layer],
    subject: undefined,
    annotations: {},
  });
  await pushBlob(repository, bytes, layer.digest);
  await pushBlob(repository, EMPTY_CONFIG, sha256(EMPTY_CONFIG));
  const { digest } = await pushManifest(repository, `tag-${sha256(bytes).slice(0, 8)}`, manifest, MANIFEST_TYPE);
  return `${host}/team/image@sha256:${digest}`;
}

const KEY = { kind: "key", file: at("ours.pem"), passwordFile: undefined } as const;
const HTTP = "--allow-http-registry";
const OLD = ["--key", at("ours.pub"), "--insecure-ignore-tlog", HTTP];
const NEW = [...OLD, "--new-bundle-format", "--trusted-root", at("empty-root.json")];

for (const [name, host] of [
  ["docker-registry", () => docker],
  ["a registry that lists referrers", () => own],
] as const) {
  test(`cosign verifies what we attach to an image in ${name}, and nothing of another image`, async () => {
    const image = await pushImage(host(), `image in ${name}`);
    const other = await pushImage(host(), `another image in ${name}`);
    await runSign(
      contextFor(() => undefined),
      [`oci://${image}`],
      KEY,
      [["cdx", at("sbom.json")]],
    );
    const signature = await cosign("verify", ...OLD, image);
    assert.equal(signature.exitCode, 0, signature.stderr);
    assert.match(signature.stdout, /"docker-manifest-digest":"sha256:/);
    for (const form of [OLD, NEW]) {
      const good = await cosign("verify-attestation", ...form, "--type", "cyclonedx", image);
      assert.equal(good.exitCode, 0, good.stderr);
      assert.notEqual((await cosign("verify-attestation", ...form, "--type", "cyclonedx", other)).exitCode, 0);
    }
    assert.notEqual((await cosign("verify", ...OLD, other)).exitCode, 0);
    const wrongKey = OLD.map((word) => (word === at("ours.pub") ? at("cosign.pub") : word));
    assert.notEqual((await cosign("verify", ...wrongKey, image)).exitCode, 0);
  });

  test(`oras lists what we attach to an image in ${name}`, async () => {
    const image = await pushImage(host(), `listed in ${name}`);
    await runSign(
      contextFor(() => undefined),
      [`oci://${image}`],
      KEY,
      [["cdx", at("sbom.json")]],
    );
    const { exitCode, stdout, stderr } = await run(["oras", "discover", "--plain-http", "--format", "json", image], []);
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout.match(/application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json/g)?.length, 2, stdout);
  });

  test(`we verify what cosign attaches to an image in ${name}`, async () => {
    const image = await pushImage(host(), `by cosign in ${name}`);
    const by = ["--key", "cosign.key", "--tlog-upload=false", "--yes", HTTP];
    const predicate = ["--type", "cyclonedx", "--predicate", "sbom.json"];
    for (const argv of [
      ["sign", ...by, image],
      ["attest", ...by, ...predicate, image],
      ["attest", ...by, ...predicate, "--new-bundle-format", image],
    ]) {
      const done = await cosign(...argv);
      assert.equal(done.exitCode, 0, `${argv.join(" ")}: ${done.stderr}`);
    }
    const output = await verify(image, "cosign.pub", "ok");
    assert.match(output, /signed this image$/m);
    assert.equal(output.match(/signed a statement about this image: cdx$/gm)?.length, 2, output);
    await verify(image, "ours.pub", "refused");
  });
}

async function verify(image: string, key: string, want: "ok" | "refused"): Promise<string> {
  let output = "";
  const context = contextFor((text) => {
    output += text;
  });
  const done = runVerify(context, { files: [`oci://${image}`], policy: undefined, keys: [at(key)] });
  assert.equal(
    await done.then(
      () => "ok",
      () => "refused",
    ),
    want,
    output,
  );
  return output;
}

interface TrustedRoot {
  readonly certificateAuthorities: readonly Authority[];
  readonly timestampAuthorities: readonly Authority[];
  readonly tlogs: readonly Log[];
  readonly ctlogs: readonly Log[];
}

interface Authority {
  readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
}

interface Log {
  readonly publicKey: { readonly rawBytes: string };
}

test("cosign verifies what we attach without a key, and not for another identity", async (t) => {
  const services = await startSigstore(new Date(Date.now() + 2000));
  t.after(services.close);
  const { url, trustedRoot } = services;
  writeFileSync(at("root.json"), trustedRoot);
  writeFileSync(at("token"), identityToken());
  const keyless = {
    kind: "keyless",
    tokenFile: at("token"),
    fulcioUrl: url,
    rekorUrl: url,
    timestampUrl: url,
  } as const;
  const image = await pushImage(docker, "keyless");
  await runSign(
    contextFor(() => undefined),
    [`oci://${image}`],
    keyless,
    [["cdx", at("sbom.json")]],
  );
  const roots = JSON.parse(trustedRoot) as TrustedRoot;
  const certificate = (der: string): string => new X509Certificate(Buffer.from(der, "base64")).toString();
  const key = (der: string): string =>
    createPublicKey({ key: Buffer.from(der, "base64"), format: "der", type: "spki" })
      .export({ type: "spki", format: "pem" })
      .toString();
  const [ca = [], tsa = []] = [roots.certificateAuthorities, roots.timestampAuthorities].map((list) =>
    list.flatMap(({ certChain }) => certChain.certificates.map(({ rawBytes }) => certificate(rawBytes))),
  );
  writeFileSync(at("ca.pem"), ca.join(""));
  writeFileSync(at("tsa.pem"), tsa.join(""));
  writeFileSync(at("rekor.pem"), roots.tlogs.map(({ publicKey }) => key(publicKey.rawBytes)).join(""));
  writeFileSync(at("ct.pem"), roots.ctlogs.map(({ publicKey }) => key(publicKey.rawBytes)).join(""));
  const logs = [
    `SIGSTORE_ROOT_FILE=${at("ca.pem")}`,
    `SIGSTORE_REKOR_PUBLIC_KEY=${at("rekor.pem")}`,
    `SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=${at("ct.pem")}`,
  ];
  const old = [HTTP, "--ca-roots", at("ca.pem")];
  const bundles = [HTTP, "--trusted-root", at("root.json"), "--use-signed-timestamps", "--new-bundle-format"];
  const verifyAs = (identity: string, ...argv: readonly string[]): Promise<JudgeResult> => {
    const who = ["--certificate-identity", identity, "--certificate-oidc-issuer", ISSUER];
    return run(["env", "-C", dir, ...logs, "cosign", ...argv, ...who, image], [dir]);
  };
  for (const argv of [
    ["verify", ...old],
    ["verify", ...old, "--timestamp-certificate-chain", at("tsa.pem")],
    ["verify-attestation", ...old, "--type", "cyclonedx"],
    ["verify-attestation", ...bundles, "--type", "cyclonedx"],
  ]) {
    const good = await verifyAs(IDENTITY, ...argv);
    assert.equal(good.exitCode, 0, `${argv.join(" ")}: ${good.stderr}`);
    assert.notEqual((await verifyAs("someone@example.org", ...argv)).exitCode, 0);
  }
  const policy = `format: 1\nsigners: [{identity: ${IDENTITY}, issuer: ${ISSUER}, trustedRoot: root.json}]\n`;
  writeFileSync(at("policy.yaml"), `${policy}require: [signature, cdx]\n`);
  let output = "";
  const context = contextFor((text) => {
    output += text;
  });
  await runVerify(context, { files: [`oci://${image}`], policy: at("policy.yaml"), keys: [] });
  assert.match(output, /signed this image$/m);
});
