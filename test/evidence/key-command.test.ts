// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { runKeyGenerate } from "../../builder/commands/key.ts";
import { KEY_TYPES } from "../../builder/evidence/kinds.ts";
import { pemKeySource, readPublicKey } from "../../builder/evidence/pem-key.ts";
import { contextFor } from "./command-context.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "key-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const context = contextFor(() => undefined);

for (const type of KEY_TYPES) {
  for (const password of [undefined, "secret", ""]) {
    test(`key generate writes ${type} ${password === undefined ? "in the open" : `under "${password}"`}`, async () => {
      const out = join(dir, "release");
      const passwordFile = password === undefined ? undefined : join(dir, "password");
      if (passwordFile !== undefined) writeFileSync(passwordFile, `${password}\n`);
      await runKeyGenerate(context, { out, type, passwordFile, plain: password === undefined });
      const source = await pemKeySource(readFileSync(`${out}.key`), "key", async () => password);
      assert.ok(source.publicKey.equals(readPublicKey(readFileSync(`${out}.pub`), "pub")));
      assert.equal(statSync(`${out}.key`).mode & 0o777, 0o600);
      assert.equal(statSync(`${out}.pub`).mode & 0o777, 0o644);
      const isClosed = readFileSync(`${out}.key`, "utf8").startsWith(
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
      );
      assert.equal(isClosed, password !== undefined);
    });
  }
}

test("key generate overwrites nothing, and leaves no half of a pair", async () => {
  const options = { out: join(dir, "a"), type: "p256", passwordFile: undefined, plain: true } as const;
  for (const name of ["a.key", "a.pub"]) {
    writeFileSync(join(dir, name), "old");
    await assert.rejects(runKeyGenerate(context, options), { code: "OUTPUT_UNWRITABLE" });
    assert.equal(readFileSync(join(dir, name), "utf8"), "old");
    assert.deepEqual(readdirSync(dir), [name]);
    rmSync(join(dir, name));
  }
});

test("key generate wants a password or --plain, not both and not neither", async () => {
  const options = { out: join(dir, "a"), type: "p256", passwordFile: undefined } as const;
  await assert.rejects(runKeyGenerate(context, { ...options, plain: false }), { code: "USAGE" });
  const withPassword = contextFor(() => undefined, { COSIGN_PASSWORD: "x" });
  await assert.rejects(runKeyGenerate(withPassword, { ...options, plain: true }), { code: "USAGE" });
  assert.deepEqual(readdirSync(dir), []);
});
