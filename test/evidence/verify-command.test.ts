// SPDX-License-Identifier: Apache-2.0
// `dodeka verify` and `dodeka sign` over real files: exit codes, reports, and files that are no ordinary ones.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { POLICY_EXAMPLE, signingOptions } from "../../builder/commands/evidence-program.ts";
import { runSign } from "../../builder/commands/sign.ts";
import { runVerify } from "../../builder/commands/verify.ts";
import type { VerifyOptions } from "../../builder/commands/verify-demands.ts";
import { DEFAULT_REQUIRED, parsePolicy } from "../../builder/evidence/policy.ts";
import { errorCodeOf, exitCodeFor } from "../../builder/report/exit-code.ts";
import { contextFor } from "./command-context.ts";
import { ARTIFACT, NAME, keyPair, makeEvidence } from "./evidence-samples.ts";

const dir = mkdtempSync(join(tmpdir(), "verify-"));
after(() => rmSync(dir, { recursive: true }));
const image = join(dir, NAME);
const { signer, trusted } = keyPair("release.pub");
const files = await makeEvidence(signer);
const KEY = "release.pub";

beforeEach(() => {
  for (const name of readdirSync(dir)) rmSync(join(dir, name));
  writeFileSync(image, ARTIFACT);
  for (const [suffix, bytes] of files) writeFileSync(image + suffix, bytes);
  const publicKey = trusted.kind === "key" ? trusted.publicKey.export({ type: "spki", format: "pem" }) : "";
  writeFileSync(join(dir, KEY), publicKey);
});

interface Outcome {
  readonly code: string;
  readonly exitCode: number;
  readonly output: string;
  readonly value: { readonly proved: boolean; readonly checks: readonly { readonly state: string }[] } | undefined;
}

async function verify(options: Partial<VerifyOptions> = {}): Promise<Outcome> {
  let [output, value]: [string, unknown] = ["", undefined];
  const context = contextFor((text, result) => {
    [output, value] = [output + text, result];
  });
  const all = { files: [image], policy: undefined, keys: [join(dir, KEY)], ...options };
  const [code, exitCode] = await runVerify(context, all).then(
    () => ["ok", 0] as const,
    (error: unknown) => [errorCodeOf(error), exitCodeFor(error)] as const,
  );
  return { code, exitCode, output, value: value as Outcome["value"] };
}

test("verify proves a signed artifact and says what that means", async () => {
  const { code, output, value } = await verify();
  assert.equal(code, "ok", output);
  assert.match(output, /^ {2}ok +\S+\.provenance\.sigstore\.json {2}\S+ signed what/m);
  assert.match(output, /trusted signer signed/);
  assert.equal(value?.proved, true);
});

test("verify without key or policy says that nobody vouches", async () => {
  const { code, output } = await verify({ keys: [] });
  assert.equal(code, "ok", output);
  assert.match(output, /who made them is not proved/);
  assert.match(output, /not checked +\S+\.sigstore\.json/);
});

test("verify fails with 76 for a changed artifact and 69 for missing evidence", async () => {
  writeFileSync(image, "other");
  assert.deepEqual(await verify().then(({ code, exitCode }) => [code, exitCode]), ["EVIDENCE_INVALID", 76]);
  writeFileSync(image, ARTIFACT);
  rmSync(`${image}.provenance.sigstore.json`);
  assert.deepEqual(await verify().then(({ code, exitCode }) => [code, exitCode]), ["EVIDENCE_MISSING", 69]);
});

test("verify reads a policy whose files are beside it", async () => {
  const policy = join(dir, "policy.yaml");
  writeFileSync(
    policy,
    `format: 1\nsigners: [{key: ${KEY}}]\nrequire: [signature, boot-test, cdx]\nminimumCoverage: 99\n`,
  );
  assert.equal((await verify({ policy, keys: [] })).code, "ok");
  rmSync(`${image}.boot-test.json`);
  assert.equal((await verify({ policy, keys: [] })).code, "EVIDENCE_MISSING");
  writeFileSync(policy, "format: 1\n");
  assert.deepEqual((await verify({ policy, keys: [] })).exitCode, 65);
});

test("the policy that the help shows is one", () => {
  const text = POLICY_EXAMPLE.replaceAll(/^ {2}/gm, "");
  const { signers, require, minimumCoverage } = parsePolicy(text, "help");
  assert.deepEqual(
    [signers.map((s) => s.kind), require, minimumCoverage],
    [["key", "identity"], DEFAULT_REQUIRED, 100],
  );
});

test("verify counts what the file is made of, not what it was made with", async () => {
  const { output } = await verify();
  assert.match(output, /\.cdx\.json +describes this file: 1 component, coverage/);
  assert.match(output, /\.spdx\.json +describes this file: 1 component$/m);
});

test("verify fails with 76 when one thing is wrong and another missing", async () => {
  rmSync(`${image}.sha256`);
  writeFileSync(`${image}.spdx.json`, "{}");
  assert.equal((await verify()).exitCode, 76);
});

test("verify goes on after a bad file and reports all", async () => {
  const bad = join(dir, "bad");
  writeFileSync(bad, "x");
  const { code, output } = await verify({ files: [bad, image] });
  assert.equal(code, "EVIDENCE_MISSING");
  assert.match(output, /not proved[\s\S]*trusted signer signed/);
});

const ODD: readonly (readonly [name: string, make: (path: string) => void])[] = [
  ["a pipe", (path) => execFileSync("/bin/sh", ["-c", `mkfifo "$0"`, path])],
  ["a device", (path) => symlinkSync("/dev/zero", path)],
  ["a dangling link", (path) => symlinkSync("/nowhere", path)],
  [
    "a file of terabytes",
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
  ],
];

for (const [name, make] of ODD) {
  test(`verify refuses ${name} as evidence, at once`, async () => {
    rmSync(`${image}.cdx.json`);
    make(`${image}.cdx.json`);
    assert.equal((await verify()).code, "EVIDENCE_INVALID");
  });
}

test("verify refuses an artifact that is no file", async () => {
  assert.equal((await verify({ files: [dir] })).code, "USAGE");
  assert.equal((await verify({ files: [join(dir, "none")] })).code, "USAGE");
  execFileSync("/bin/sh", ["-c", `mkfifo "$0"`, join(dir, "pipe")]);
  assert.equal((await verify({ files: [join(dir, "pipe")] })).code, "USAGE");
});

test("verify takes only names of evidence for evidence", async () => {
  for (const other of [".zst.cdx.json", ".cdx.json.bak", ".zst", "x.cdx.json"]) writeFileSync(image + other, "no JSON");
  assert.equal((await verify()).code, "ok");
});

test("verify shows no escape sequence of a file's content", async () => {
  writeFileSync(`${image}.sha256`, "\u001b[2J\n");
  const { output } = await verify();
  assert.ok(!output.includes("\u001b"));
});

test("sign signs what build left unsigned, with a password from a file", async () => {
  for (const suffix of files.keys()) if (suffix.endsWith(".sigstore.json")) rmSync(image + suffix);
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
  writeFileSync(join(dir, "key.pem"), pem);
  writeFileSync(join(dir, "password"), "secret\n");
  writeFileSync(join(dir, KEY), publicKey.export({ type: "spki", format: "pem" }));
  const context = contextFor(() => undefined);
  const key = { kind: "key", file: join(dir, "key.pem") } as const;
  await assert.rejects(runSign(context, [image], { ...key, passwordFile: undefined }), { code: "KEY_INVALID" });
  await runSign(context, [image], { ...key, passwordFile: join(dir, "password") });
  assert.equal((await verify()).code, "ok");
  const fromEnvironment = contextFor(() => undefined, { COSIGN_PASSWORD: "secret" });
  await runSign(fromEnvironment, [image], { ...key, passwordFile: undefined });
});

const KEYLESS = { identityTokenFile: "t", fulcioUrl: "https://f", rekorUrl: "https://r" };
const OPTIONS: readonly (readonly [given: Record<string, string>, want: string | undefined])[] = [
  [{}, undefined],
  [{ signKey: "k" }, "key"],
  [{ signKey: "k", keyPasswordFile: "p" }, "key"],
  [KEYLESS, "keyless"],
  [{ keyPasswordFile: "p" }, "USAGE"],
  [{ ...KEYLESS, signKey: "k" }, "USAGE"],
  [{ signKey: "k", rekorUrl: "https://r" }, "USAGE"],
  [{ identityTokenFile: "t" }, "USAGE"],
  [{ fulcioUrl: "https://f" }, "USAGE"],
];

for (const [given, want] of OPTIONS) {
  test(`signing options ${Object.keys(given).join(" ") || "none"} mean ${want ?? "no signature"}`, () => {
    if (want === "USAGE") assert.throws(() => signingOptions(given), { code: "USAGE" });
    else assert.equal(signingOptions(given)?.kind, want);
  });
}

test("sign signs nothing when a document is about another file", async () => {
  const context = contextFor(() => undefined);
  writeFileSync(image, "other");
  rmSync(`${image}.sigstore.json`);
  writeFileSync(
    join(dir, "key.pem"),
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );
  const before = readFileSync(`${image}.cdx.sigstore.json`);
  const signing = { kind: "key", file: join(dir, "key.pem"), passwordFile: undefined } as const;
  await assert.rejects(runSign(context, [image], signing), (error) => errorCodeOf(error) === "EVIDENCE_INVALID");
  assert.deepEqual(readFileSync(`${image}.cdx.sigstore.json`), before);
  assert.ok(!readdirSync(dir).includes(`${NAME}.sigstore.json`));
});
