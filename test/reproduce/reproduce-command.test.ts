// SPDX-License-Identifier: Apache-2.0
// dodeka reproduce as a program, over an image of the store's release: it agrees with honest files, and names what
// differs in others. One test compiles again in an empty store, with the stock kernel: of the programs the one
// that is quickest; reproduce.test.ts compiles ours again, upstream-again.ts all of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { parseBundle } from "../../builder/evidence/bundle.ts";
import { REBUILD_TYPE } from "../../builder/evidence/rebuild.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { UPSTREAM_STEPS } from "./second-home.ts";

const dir = mkdtempSync(join(tmpdir(), "reproduce-"));
after(() => rmSync(dir, { recursive: true }));
const MAIN = fileURLToPath(new URL("../../builder/main.ts", import.meta.url));
const COMPILED = "cni";
const LENT = ["userland", ...UPSTREAM_STEPS].filter((step) => step !== COMPILED);
const [iso, uki] = [join(dir, "metal-amd64.iso"), join(dir, "metal-amd64-uki.efi")];

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dodeka(...args: readonly string[]): Promise<Run> {
  return dodekaWith({}, ...args);
}

function dodekaWith(variables: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Run> {
  const env = { ...process.env, ...variables };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

before(async () => {
  const stock = await findReleaseWith(await openStore(readSettings().storeDir), "stock");
  assert.ok(stock !== undefined, "no release with the stock kernel: run `dodeka release build --kernel stock`");
  const release = ["--release", stock.digest];
  const args = ["build", "metal", "-o", dir, "--output", "iso", "uki", "--kernel-arg", "quiet", ...release];
  const { code, stderr } = await dodeka(...args);
  assert.equal(code, 0, stderr);
});

test("reproduce agrees with what build wrote, options included", async () => {
  const { code, stdout, stderr } = await dodeka("reproduce", iso, "--assemble-only");
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^equal: metal-amd64\.iso sha256:[0-9a-f]{64}, assembled from the release\n$/);
});

test("reproduce names the file in which one changed byte lies", async () => {
  const changed = join(dir, "changed.iso");
  copyFileSync(iso, changed);
  const { length } = readFileSync(iso);
  const file = openSync(changed, "r+");
  writeSync(file, Buffer.from([0x5a]), 0, 1, Math.floor(length / 2));
  closeSync(file);
  const { code, stdout } = await dodeka(
    "reproduce",
    changed,
    "--provenance",
    `${iso}.provenance.json`,
    "--assemble-only",
  );
  assert.equal(code, 1);
  const path = /^first difference at byte \d+: (.*)$/m.exec(stdout)?.[1];
  assert.match(path ?? stdout, /^partition EFI > FAT file dodeka\/[0-9a-f]{64}\.root > squashfs (file|fragment)/);
});

test("reproduce tells two artifacts apart whose provenances were swapped", async () => {
  const run = await dodeka("reproduce", iso, "--provenance", `${uki}.provenance.json`, "--assemble-only");
  assert.equal(run.code, 1, run.stderr);
  assert.match(run.stdout, /^differs: metal-amd64\.iso/);
});

const EDITS: readonly (readonly [name: string, from: RegExp, to: string, code: number])[] = [
  ["other sources", /("name": "builder",[\s\S]*?"sha256": ")[0-9a-f]{64}/, `$1${"0".repeat(64)}`, 69],
  ["a release that nobody has", /("release": \{\s*"digest": \{\s*"sha256": ")[0-9a-f]{64}/, `$1${"0".repeat(64)}`, 69],
  ["another plan than its id", /("planId": ")[0-9a-f]{64}/, `$1${"0".repeat(64)}`, 76],
  ["no build type", /urn:dodeka:build:image:v1/, "urn:other", 76],
];

for (const [name, from, to, code] of EDITS) {
  test(`reproduce refuses a provenance with ${name}`, async () => {
    const edited = readFileSync(`${iso}.provenance.json`, "utf8").replace(from, to);
    assert.notEqual(edited, readFileSync(`${iso}.provenance.json`, "utf8"));
    const file = join(dir, "edited.json");
    writeFileSync(file, edited);
    const run = await dodeka("reproduce", iso, "--provenance", file, "--assemble-only");
    assert.equal(run.code, code, run.stdout + run.stderr);
  });
}

test("reproduce --attest signs that the rebuild was equal", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = join(dir, "rebuilder.pem");
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  const run = await dodeka("reproduce", iso, "--assemble-only", "--attest", "--sign-key", key);
  assert.equal(run.code, 0, run.stderr);
  const { content } = parseBundle(readFileSync(`${iso}.rebuild.sigstore.json`), "rebuild");
  assert.ok(content.$case === "dsseEnvelope");
  const statement = JSON.parse(content.dsseEnvelope.payload.toString("utf8")) as Record<string, unknown>;
  assert.equal(statement["predicateType"], REBUILD_TYPE);
  const { scope, result } = statement["predicate"] as Record<string, unknown>;
  assert.deepEqual([scope, result], ["assembly", "equal"]);
});

test("reproduce --attest without a key is a mistake", async () => {
  assert.equal((await dodeka("reproduce", iso, "--attest")).code, 2);
});

test("reproduce compiles again in an empty store, and gives equal bytes", async () => {
  const { code, stdout, stderr } = await dodeka("reproduce", iso, "--except", ...LENT);
  assert.equal(code, 0, stdout + stderr);
  assert.ok(stdout.endsWith(` compiled except ${LENT.join(", ")} and assembled in an empty store\n`), stdout);
  assert.ok(stdout.startsWith("equal: "), stdout);
  assert.match(stderr, new RegExp(`^done +${COMPILED} `, "m"));
});

test("reproduce starts where there is no store yet, nor its folder", async () => {
  const DODEKA_STORE = join(dir, "nobody/has/store");
  const { code, stderr } = await dodekaWith({ DODEKA_STORE }, "reproduce", iso, "--assemble-only");
  assert.equal(code, 69, stderr); // assembling needs the release
  assert.match(stderr, /: release: found "[0-9a-f]{64}"\n/);
});

test("reproduce refuses to except a step that nobody knows", async () => {
  const run = await dodeka("reproduce", iso, "--except", "no-such-step");
  assert.deepEqual([run.code, /no-such-step/.test(run.stderr)], [2, true], run.stderr);
});

test("reproduce --attest leaves nothing out", async () => {
  assert.equal((await dodeka("reproduce", iso, "--except", "kubelet", "--attest", "--sign-key", "x")).code, 2);
});
