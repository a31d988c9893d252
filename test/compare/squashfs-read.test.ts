// SPDX-License-Identifier: Apache-2.0
// The image was made by mksquashfs 4.5.1 with: mksquashfs tree image -comp zstd -all-root -no-xattrs -mkfs-time 0
// -all-time 0 -nopad. test/foreign/squashfs.test.ts compares larger trees with unsquashfs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { isMalformed } from "../../builder/compare/malformed.ts";
import { fileImage } from "../../builder/compare/squashfs-content.ts";
import { readSquashfs } from "../../builder/compare/squashfs-read.ts";
import type { SquashfsFound } from "../../builder/compare/squashfs-read.ts";
import { bytesImage, imageChunks } from "../../builder/compare/sub-image.ts";
import { SQUASHFS } from "./samples.ts";

async function readAll(found: SquashfsFound): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { path, inode, uid, gid, target } of found.entries) {
    const words = [`/${path}`, inode.kind, inode.mode.toString(8), `${uid}:${gid}`];
    if (inode.kind === "file") {
      const hash = createHash("sha256");
      for await (const chunk of imageChunks(fileImage(found, path, inode))) hash.update(chunk);
      words.push(String(inode.size), hash.digest("hex").slice(0, 16));
    }
    lines.push([...words, ...(target === undefined ? [] : [target])].join(" "));
  }
  return lines.sort();
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

test("readSquashfs lists paths, modes, owners, targets and contents", async () => {
  const lines = await readAll(await readSquashfs(bytesImage("test", SQUASHFS)));
  assert.deepEqual(lines, [
    "/ directory 755 0:0",
    "/etc directory 755 0:0",
    `/etc/f1 file 644 0:0 2 ${digest("f1")}`,
    `/etc/f2 file 644 0:0 2 ${digest("f2")}`,
    `/etc/f3 file 644 0:0 2 ${digest("f3")}`,
    `/etc/os-release file 644 0:0 7 ${digest("NAME=x\n")}`,
    "/proc directory 555 0:0",
    "/sbin directory 755 0:0",
    `/sbin/init file 755 0:0 300000 ${digest("a".repeat(300_000))}`,
    "/sbin/reboot symlink 777 0:0 init",
    `/tail file 644 0:0 4 ${digest("tail")}`,
  ]);
});

test("a squashfs file reads the same from any place", async () => {
  const found = await readSquashfs(bytesImage("test", SQUASHFS));
  const init = found.entries.find((e) => e.path === "sbin/init");
  assert.ok(init?.inode.kind === "file");
  const image = fileImage(found, "init", init.inode);
  for (const [at, length] of [
    [0, 300_000],
    [131_071, 2],
    [262_143, 37_857],
    [299_999, 1],
    [5, 0],
  ] as const) {
    assert.equal(Buffer.from(await image.read(at, length)).toString("latin1"), "a".repeat(length));
  }
});

const REFUSALS: readonly (readonly [name: string, offset: number, bytes: readonly number[], message: RegExp])[] = [
  ["another magic", 0, [0], /magic/],
  ["no inodes", 4, [0, 0, 0, 0], /inode count/],
  ["blocks of 3 bytes", 12, [3, 0, 0, 0], /block size/],
  ["gzip", 20, [1], /compressor/],
  ["version 3", 28, [3], /version/],
  ["more bytes than there are", 42, [1], /bytes used/],
  ["a root that is no inode", 32, [0xff, 0xff], /reference to one of its blocks/],
  ["an inode table past the end", 66, [0xff], /inode table/],
];

for (const [name, offset, bytes, message] of REFUSALS) {
  test(`readSquashfs refuses ${name}`, async () => {
    const damaged = Uint8Array.from(SQUASHFS);
    damaged.set(bytes, offset);
    await assert.rejects(readSquashfs(bytesImage("test", damaged)), { code: "FORMAT_INVALID", message });
  });
}

test("readSquashfs refuses every truncation", async () => {
  for (let length = 0; length < SQUASHFS.length; length += 7) {
    await assert.rejects(readSquashfs(bytesImage("test", SQUASHFS.subarray(0, length))), { code: "FORMAT_INVALID" });
  }
});

test("readSquashfs either lists or refuses any damaged image, and ends", async () => {
  const place = fc.oneof(fc.nat(95), fc.integer({ min: 96, max: SQUASHFS.length - 1 }));
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, byte), { minLength: 1, maxLength: 6 }), async (patches) => {
      const damaged = Uint8Array.from(SQUASHFS);
      for (const [offset, value] of patches) damaged[offset] = value;
      try {
        await readAll(await readSquashfs(bytesImage("test", damaged)));
      } catch (error) {
        assert.ok(isMalformed(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
