// SPDX-License-Identifier: Apache-2.0
// The boot sectors here are made up; test/foreign/grub-disk.test.ts compares with grub-bios-setup and xorriso on real ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { embedGrubDisk, embedGrubHybrid } from "../../builder/layout/grub-disk.ts";

function bootImage(): Buffer {
  const image = Buffer.alloc(512, 0x11);
  image.writeUInt16BE(0xeb63, 0);
  image.writeUInt16BE(0xeb05, 0x66);
  image.writeUInt16BE(0x55aa, 510);
  return image;
}

function coreImage(length: number): Buffer {
  const image = Buffer.alloc(length, 0x22).fill(0, 0x1e8, 0x1f4);
  image.writeUInt16LE(0x820, 0x1fe);
  image.writeUInt32LE(0, 512 + 0x10);
  return image;
}

test("embedGrubDisk points the boot sector at the core image and patches nothing else", () => {
  const { bootCode } = embedGrubDisk({ bootImg: bootImage(), coreImg: coreImage(1500), coreLba: 0x1_0000_0022 });
  const want = bootImage().subarray(0, 440);
  want.writeBigUInt64LE(0x1_0000_0022n, 0x5c);
  want.set([0xff], 0x64);
  want.set([0x90, 0x90], 0x66);
  assert.equal(Buffer.from(bootCode).toString("hex"), want.toString("hex"));
});

test("embedGrubDisk lists the core's other sectors in its first and pads the last with zeros", () => {
  const { core } = embedGrubDisk({ bootImg: bootImage(), coreImg: coreImage(1500), coreLba: 34 });
  const list = Buffer.from(core);
  assert.equal(core.length, 1536);
  assert.deepEqual([list.readBigUInt64LE(0x1f4), list.readUInt16LE(0x1fc), list.readUInt16LE(0x1fe)], [35n, 2, 0x820]);
  assert.ok(core.subarray(1500).every((byte) => byte === 0));
  assert.equal(Buffer.compare(core.subarray(512, 1500), coreImage(1500).subarray(512)), 0);
});

test("embedGrubHybrid points behind the CD loader of the El Torito image", () => {
  const bootCode = embedGrubHybrid({ bootHybridImg: bootImage(), eltoritoLba512: 136 });
  const want = bootImage().subarray(0, 440);
  want.writeBigUInt64LE(140n, 0x1b0);
  assert.equal(Buffer.from(bootCode).toString("hex"), want.toString("hex"));
});

const broken = (image: Buffer, at: number, byte: number): Buffer => {
  image[at] = byte;
  return image;
};
const REFUSED: readonly (readonly [name: string, code: string, bootImg: Buffer, coreImg: Buffer])[] = [
  ["a boot image of 511 bytes", "FORMAT_INVALID", bootImage().subarray(1), coreImage(2000)],
  ["a boot image without its signature", "FORMAT_INVALID", broken(bootImage(), 511, 0), coreImage(2000)],
  ["a boot image of another loader", "FORMAT_INVALID", broken(bootImage(), 1, 0), coreImage(2000)],
  ["a boot image that was set up before", "FORMAT_INVALID", broken(bootImage(), 0x66, 0x90), coreImage(2000)],
  ["a core without diskboot", "FORMAT_INVALID", bootImage(), broken(coreImage(2000), 0x1fe, 0)],
  ["a core with two block lists", "FORMAT_INVALID", bootImage(), broken(coreImage(2000), 0x1f0, 1)],
  ["a core with redundancy", "FORMAT_INVALID", bootImage(), broken(coreImage(2000), 512 + 0x10, 1)],
  ["a core of one sector", "FORMAT_INVALID", bootImage(), coreImage(600).subarray(0, 512)],
  ["a core over 454656 bytes", "LAYOUT_OVERFLOW", bootImage(), coreImage(454_657)],
];

for (const [name, code, bootImg, coreImg] of REFUSED) {
  test(`embedGrubDisk refuses ${name}`, () => {
    assert.throws(() => embedGrubDisk({ bootImg, coreImg, coreLba: 34 }), { name: "FactoryError", code });
  });
}
