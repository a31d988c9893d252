// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { explainDifference } from "../../builder/compare/explain-difference.ts";
import { locate, locateIn } from "../../builder/compare/locate.ts";
import { openSpace } from "../../builder/compare/open-space.ts";
import { bytesImage } from "../../builder/compare/sub-image.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { layoutIso } from "../../builder/layout/iso9660.ts";
import { hybridOptions } from "../layout/iso9660-samples.ts";
import { damagedImage, layoutBytes, layoutImage } from "../layout/layout-image.ts";
import { SQUASHFS, sampleDisk, sampleInitramfs, sampleRoot } from "./samples.ts";
import { layoutUki } from "./sample-uki.ts";

const DISK = await sampleDisk();
const BYTES = Buffer.from(layoutBytes(DISK, 0, 4 << 20));
const ESP = 2 ** 20;
/** Where some bytes of the disk are. */
const find = (what: string | Uint8Array): number => {
  const at = BYTES.indexOf(what);
  assert.ok(at > 0, `no ${String(what)}`);
  return at;
};
const CONFIG = find("dodeka/config\0");
const UKI = find(layoutBytes(layoutUki(sampleInitramfs())).subarray(0, 100));
const LFN = find(Buffer.from("a long name.e", "utf16le").subarray(0, 10)); // first five letters of a long name
const FAT = ESP + 512 * BYTES.readUInt16LE(ESP + 14); // behind the reserved sectors
const inUki = "partition EFI > FAT file EFI/Linux/a long name.efi";
const inRoot = "partition EFI > FAT file dodeka/image.root";

const PLACES: readonly (readonly [offset: number, path: string])[] = [
  [440, "MBR > disk signature"],
  [512 + 16, "GPT header > header CRC"],
  [512 + 60, "GPT header > disk GUID"],
  [1024 + 40, "GPT entries > entry 1 EFI last LBA"],
  [1024 + 128 + 56, "GPT entries > entry 2 (unused) name"],
  [DISK.length - 512 + 88, "backup GPT header > entry array CRC"],
  [DISK.length - 33 * 512 + 16, "backup GPT entries > entry 1 EFI GUID"],
  [40_000, "unused byte 40000"],
  [ESP + 67, "partition EFI > FAT boot sector > volume id"],
  [ESP + 512 + 488, "partition EFI > FSInfo sector > free clusters"],
  [FAT + 8, "partition EFI > FAT table 1 > entry of cluster 2"],
  [LFN, "partition EFI > FAT directory > entry EFI/Linux/a long name.efi (long name)"],
  [LFN - 1 + 32 + 28, "partition EFI > FAT directory > entry EFI/Linux/a long name.efi (size)"],
  [UKI + 88 + 64, `${inUki} > PE optional header > checksum`],
  [UKI + 328 + 8, `${inUki} > PE section table > .text virtual size`],
  [find("quiet panic") + 6, `${inUki} > PE section .cmdline > byte 6`],
  [find("quiet panic") + 200, `${inUki} > PE section .cmdline > padding byte 159`],
  [CONFIG - 110 + 14, `${inUki} > PE section .initrd > initramfs entry dodeka/config > (mode)`],
  [CONFIG + 3, `${inUki} > PE section .initrd > initramfs entry dodeka/config > (name)`],
  [CONFIG + 14 + 1, `${inUki} > PE section .initrd > initramfs entry dodeka/config > byte 1`],
  [find("hsqs") + 32, `${inRoot} > squashfs superblock > root inode`],
  [find("hsqs") + 100, `${inRoot} > squashfs file /sbin/init > byte 0`],
  [find("verity\0\0") + 17, `${inRoot} > verity superblock > UUID`],
];

for (const [offset, path] of PLACES) {
  test(`locate names byte ${offset} ${path}`, async () => {
    assert.equal((await locate(layoutImage(DISK), offset)).join(" > "), path);
  });
}

test("locate names files and records of an ISO", async () => {
  const { options } = hybridOptions();
  const { layout } = layoutIso(options);
  const space = await openSpace(layoutImage(layout));
  const name = async (offset: number): Promise<string> => (await locateIn(space, offset)).join(" > ");
  assert.equal(await name(16 * 2048 + 45), "ISO primary volume descriptor > volume id");
  const bytes = Buffer.from(layoutBytes(layout, 0, 1 << 20));
  const readme = bytes.indexOf("README.;1");
  assert.equal(await name(readme), "ISO directory / > record README.;1 (identifier)");
  assert.equal(await name(readme - 33 + 10), "ISO directory / > record README.;1 (size)");
  assert.match(await name(20 * 2048), /^(ISO|El Torito)/);
});

/** `image` with byte `offset` changed. */
function flipped(layout: Layout, offset: number): ReturnType<typeof layoutImage> {
  const old = layoutBytes(layout, offset, 1)[0] ?? 0;
  return damagedImage(layout, [[offset, Uint8Array.of(old ^ 1)]]);
}

test("explainDifference finds nothing in equal artifacts", async () => {
  assert.equal(await explainDifference(layoutImage(DISK), layoutImage(DISK)), undefined);
});

test("explainDifference names the unpacked byte when compressed archives differ", async () => {
  const other = await sampleDisk({ late: "lane" });
  const found = await explainDifference(layoutImage(DISK), layoutImage(other));
  const path = `${inUki} > PE section .initrd > zstd frame 1 > initramfs entry late > byte 2`;
  assert.equal(found?.path.join(" > "), path);
});

test("explainDifference says of a file without structure that it differs", async () => {
  const [a, b] = ["quiet", "quick"].map((text) => bytesImage("cmdline", Buffer.from(text)));
  assert.ok(a !== undefined && b !== undefined);
  const found = await explainDifference(a, b);
  assert.deepEqual(found?.path, ["byte 3"]);
  assert.deepEqual(found?.parts, [{ path: ["the file"], regions: 1 }]);
});

test("explainDifference names each part that differs, and the first byte", async () => {
  const image = damagedImage(DISK, [
    [528, Uint8Array.of(1, 2, 3, 4)],
    [ESP + 67, Uint8Array.of(0)],
    [CONFIG + 14, Buffer.from("TEXT")],
  ]);
  const found = await explainDifference(layoutImage(DISK), image);
  assert.deepEqual([found?.offset, found?.path.join(" > ")], [528, "GPT header > header CRC"]);
  assert.deepEqual(
    found?.parts.map((p) => `${p.regions} ${p.path.join(" > ")}`),
    [
      "1 GPT header",
      "1 partition EFI > FAT boot sector",
      `1 ${inUki} > PE section .initrd > initramfs entry dodeka/config`,
    ],
  );
});

test("explainDifference says when an artifact is shorter", async () => {
  const short = { ...layoutImage(DISK), length: DISK.length - 512 };
  const found = await explainDifference(layoutImage(DISK), short);
  assert.equal(found?.path.join(" > "), "backup GPT header > signature");
});

test("explainDifference names a file of the root image, or its inode, for a change of it", async () => {
  const root = await sampleRoot();
  const inodes = Buffer.from(SQUASHFS).readUInt32LE(64);
  const names: string[] = [];
  for (let offset = 96; offset < SQUASHFS.length; offset += 3) {
    const found = await explainDifference(layoutImage(root), flipped(root, offset));
    assert.equal(found?.offset, offset);
    if (offset < inodes) assert.match(found.path.join(" > "), /^squashfs (file|fragment block)/, String(offset));
    names.push(found.path[0] ?? "");
  }
  for (const name of [
    "squashfs inode table",
    "squashfs directory table",
    "squashfs fragment table",
    "squashfs id table",
  ])
    assert.ok(names.includes(name), `${name} is among ${[...new Set(names)].join()}`);
});

test("openSpace and locate survive any damage", async () => {
  const uki = layoutUki(sampleInitramfs());
  const patch = fc.tuple(fc.nat(Math.min(uki.length, 40_000) - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(patch, { minLength: 1, maxLength: 5 }),
      fc.nat(uki.length - 1),
      async (patches, offset) => {
        const path = await locate(damagedImage(uki, patches), offset);
        assert.ok(path.length > 0);
      },
    ),
    { numRuns: 200 },
  );
});
