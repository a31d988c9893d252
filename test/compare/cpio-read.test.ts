// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readCpio } from "../../builder/compare/cpio-read.ts";
import { isMalformed } from "../../builder/compare/malformed.ts";
import { bytesImage } from "../../builder/compare/sub-image.ts";
import { layoutCpio } from "../../builder/layout/cpio.ts";
import { CPIO_SAMPLE } from "../layout/cpio-samples.ts";
import { layoutBytes } from "../layout/layout-image.ts";

const ARCHIVE = layoutBytes(layoutCpio(CPIO_SAMPLE));

test("readCpio finds what layoutCpio wrote", async () => {
  const { entries, end } = await readCpio(bytesImage("test", ARCHIVE));
  assert.equal(end, ARCHIVE.length);
  const shown = entries.map(({ path, kind, mode, uid, gid, target, device, content }) => {
    const text = Buffer.from(ARCHIVE.subarray(content.offset, content.offset + content.length)).toString("latin1");
    return [path, kind, mode.toString(8), `${uid}:${gid}`, target ?? device ?? text].join(" ");
  });
  assert.deepEqual(shown, [
    "bin symlink 777 0:0 usr/bin",
    "dev directory 755 0:0 ",
    "dev/console device 600 0:0 5:1",
    "dev/loop0 device 660 0:6 7:0",
    "etc directory 755 0:0 ",
    "etc-old file 644 0:0 ",
    "etc/hosts file 644 0:0 127.0.0.1 localhost\n",
    "init file 4755 3:5 #!\n",
    "usr directory 755 0:0 ",
    "usr/bin directory 755 0:0 ",
    "usr/bin/größe 😀 file 644 0:0 x",
    "usr/bin/\ufb33 file 644 0:0 y",
  ]);
});

const at = (text: string): number => Buffer.from(ARCHIVE).indexOf(text);
const REFUSALS: readonly (readonly [name: string, offset: number, bytes: string, message: RegExp])[] = [
  ["another magic", 0, "070702", /cpio magic/],
  ["a number that is none", 14, "0000 1ff", /cpio mode/],
  ["contents past the end", 54, "ffffffff", /cpio filesize/],
  ["a name of no length", 94, "00000000", /cpio namesize/],
  ["a name that climbs", at("etc-old\0"), "../../x", /stays below the root/],
  ["an absolute name", at("etc-old\0"), "/etc/ol", /stays below the root/],
  ["a name with a NUL inside", at("etc-old\0"), "etc\0old", /ends in NUL/],
  ["a name twice", at("dev/loop0\0"), "etc/hosts", /once/],
  ["a directory with content", at("init\0") - 110 + 14, "000041ed", /no content/],
];

for (const [name, offset, bytes, message] of REFUSALS) {
  test(`readCpio refuses ${name}`, async () => {
    const damaged = Buffer.from(ARCHIVE);
    damaged.write(bytes, offset, "latin1");
    await assert.rejects(readCpio(bytesImage("test", damaged)), { code: "FORMAT_INVALID", message });
  });
}

test("readCpio refuses an archive without its end", async () => {
  for (const length of [0, 1, 109, 111, ARCHIVE.length - 20]) {
    await assert.rejects(readCpio(bytesImage("test", ARCHIVE.subarray(0, length))), { code: "FORMAT_INVALID" });
  }
});

test("readCpio either lists or refuses any damaged archive, and ends", async () => {
  const patch = fc.tuple(fc.nat(ARCHIVE.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0x30, 0x46, 0x2f, 0)));
  await fc.assert(
    fc.asyncProperty(fc.array(patch, { minLength: 1, maxLength: 8 }), async (patches) => {
      const damaged = Uint8Array.from(ARCHIVE);
      for (const [offset, byte] of patches) damaged[offset] = byte;
      try {
        for (const { content } of (await readCpio(bytesImage("test", damaged))).entries)
          assert.ok(content.offset + content.length <= damaged.length);
      } catch (error) {
        assert.ok(isMalformed(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
