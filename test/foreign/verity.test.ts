// SPDX-License-Identifier: Apache-2.0
// veritysetup judges our hash trees, in one file with the data as the root image is.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildVerity } from "../../builder/layout/verity.ts";
import { numberedBlocks } from "../layout/verity-samples.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "verity-"));
after(() => rmSync(dir, { recursive: true }));

const UUID = "01020304-0506-8708-890a-0b0c0d0e0f10";
const SALT = Buffer.from("00112233445566778899aabbccddeeff", "hex");

async function writeImage(
  blocks: number,
  salt: Uint8Array,
): Promise<{ path: string; argv: string[]; rootHash: string }> {
  const path = join(dir, `${blocks}.img`);
  const { rootHash, hashArea } = await buildVerity(numberedBlocks(blocks), { salt, uuid: UUID });
  writeFileSync(path, Buffer.concat([...(await Array.fromAsync(numberedBlocks(blocks))), hashArea]));
  return { path, argv: ["veritysetup", "verify", path, path, rootHash, `--hash-offset=${blocks * 4096}`], rootHash };
}

for (const blocks of [1, 2, 128, 129, 128 * 128 + 1]) {
  test(`veritysetup accepts ${blocks} blocks and their tree in one file`, async () => {
    const run = await judge();
    const { argv } = await writeImage(blocks, blocks % 2 === 0 ? new Uint8Array() : SALT);
    const { exitCode, stdout, stderr } = await run(argv, [dir]);
    assert.deepEqual([exitCode, stderr.trim()], [0, ""], stdout);
  });
}

test("veritysetup reads the superblock as we wrote it", async () => {
  const run = await judge();
  const { path } = await writeImage(129, SALT);
  const { stdout } = await run(["veritysetup", "dump", path, `--hash-offset=${129 * 4096}`], [dir]);
  for (const line of [
    /UUID:\s+01020304-0506-8708-890a-0b0c0d0e0f10/,
    /Hash type:\s+1\n/,
    /Data blocks:\s+129\n/,
    /Data block size:\s+4096\n/,
    /Hash block size:\s+4096\n/,
    /Hash algorithm:\s+sha256\n/,
    /Salt:\s+00112233445566778899aabbccddeeff$/,
  ]) {
    assert.match(stdout, line);
  }
});

test("veritysetup finds one changed byte of data", async () => {
  const run = await judge();
  const { path, argv } = await writeImage(129, SALT);
  const image = Buffer.concat([...(await Array.fromAsync(numberedBlocks(129)))]);
  image[77 * 4096 + 5] = (image[77 * 4096 + 5] ?? 0) ^ 1;
  writeFileSync(path, image, { flag: "r+" });
  const { exitCode, stderr } = await run(argv, [dir]);
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /Verification failed at position 315392/);
});
