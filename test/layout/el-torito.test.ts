// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { viewOf } from "../../builder/layout/bytes.ts";
import { readBootCatalog } from "../../builder/layout/el-torito-read.ts";
import { encodeBootCatalog, patchBootImage, sumWords, uefiSectorCount } from "../../builder/layout/el-torito.ts";
import { layoutIso } from "../../builder/layout/iso9660.ts";
import { hybridOptions, isoOptions } from "./iso9660-samples.ts";
import { damagedImage, layoutBytes, layoutImage, patternBytes } from "./layout-image.ts";

const BIOS = { block: 54, sectors: 4 };
const UEFI = { block: 512, sectors: 0 };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

for (const { name, images, want } of [
  {
    name: "BIOS and UEFI as xorriso writes them",
    images: { bios: BIOS, uefi: UEFI },
    want: [
      "010000000000000000000000000000000000000000000000000000 00aa5555aa",
      "8800000000000400360000000000000000000000000000000000000000000000",
      "91ef010000000000000000000000000000000000000000000000000000000000",
      "8800000000000000000200000000000000000000000000000000000000000000",
    ],
  },
  {
    name: "BIOS alone",
    images: { bios: BIOS },
    want: [
      "010000000000000000000000000000000000000000000000000000 00aa5555aa",
      "8800000000000400360000000000000000000000000000000000000000000000",
    ],
  },
  {
    name: "UEFI alone",
    images: { uefi: UEFI },
    want: [
      "01ef0000000000000000000000000000000000000000000000000000aa6655aa",
      "8800000000000000000200000000000000000000000000000000000000000000",
    ],
  },
]) {
  test(`encodeBootCatalog writes ${name}`, () => {
    const rows = want.map((row) => row.replaceAll(" ", "")).join("");
    assert.equal(hex(encodeBootCatalog(images)), rows.padEnd(4096, "0"));
  });
}

test("encodeBootCatalog refuses to name nothing", () => {
  assert.throws(() => encodeBootCatalog({}), { code: "LAYOUT_INVALID" });
});

for (const { length, want } of [
  { length: 512, want: 1 },
  { length: 513, want: 2 },
  { length: 65_535 * 512, want: 65_535 },
  { length: 65_535 * 512 + 1, want: 0 },
]) {
  test(`uefiSectorCount is ${want} for ${length} bytes`, () => assert.equal(uefiSectorCount(length), want));
}

test("patchBootImage writes addresses, length and checksum, and leaves the rest and its argument alone", () => {
  const image = patternBytes(4099, 1);
  const before = Uint8Array.from(image);
  const out = patchBootImage(image, { primaryDescriptorBlock: 16, imageBlock: 77, grubDiskBoot: false });
  assert.deepEqual(image, before);
  const view = viewOf(out);
  assert.deepEqual(
    [8, 12, 16, 20].map((at) => view.getUint32(at, true)),
    [16, 77, 4099, sumWords(image.subarray(64))],
  );
  assert.ok(out.subarray(24, 64).every((b) => b === 0));
  assert.deepEqual(out.subarray(0, 8), image.subarray(0, 8));
  assert.deepEqual(out.subarray(64), image.subarray(64));
});

test("patchBootImage puts GRUB's block list in before it takes the checksum", () => {
  const out = patchBootImage(patternBytes(4096, 1), { primaryDescriptorBlock: 16, imageBlock: 77, grubDiskBoot: true });
  const view = viewOf(out);
  assert.equal(view.getBigUint64(2548, true), 77n * 4n + 5n);
  assert.equal(view.getUint32(20, true), sumWords(out.subarray(64)));
});

for (const { bytes, want } of [
  { bytes: [], want: 0 },
  { bytes: [1, 2, 3, 4], want: 0x04030201 },
  { bytes: [0xff, 0xff, 0xff, 0xff, 2], want: 1 },
  { bytes: [0, 0, 0, 0, 1, 2, 3], want: 0x030201 },
  { bytes: [0, 0, 0, 0xff, 0, 0, 0xff], want: 0xffff0000 },
]) {
  test(`sumWords of [${bytes.join(" ")}] is ${want}`, () => assert.equal(sumWords(Uint8Array.from(bytes)), want));
}

test("readBootCatalog finds what layoutIso wrote", async () => {
  const { options } = hybridOptions();
  const volume = layoutIso(options);
  const [bios, uefi, ...rest] = await readBootCatalog(layoutImage(volume.layout));
  assert.deepEqual(bios, { platform: 0, bootable: true, sectors: 4, offset: volume.eltoritoBios?.offset });
  assert.deepEqual(uefi, { platform: 0xef, bootable: true, sectors: 0, offset: volume.appendedOffset });
  assert.deepEqual(rest, []);
  const image = layoutBytes(volume.layout, volume.eltoritoBios?.offset, volume.eltoritoBios?.length);
  assert.equal(viewOf(image).getUint32(12, true) * 2048, volume.eltoritoBios?.offset);
});

test("readBootCatalog finds nothing on a volume that does not boot", async () => {
  assert.deepEqual(await readBootCatalog(layoutImage(layoutIso(isoOptions()).layout)), []);
});

test("readBootCatalog refuses damage", async () => {
  const { layout } = layoutIso(hybridOptions().options);
  const pointer = 17 * 2048 + 71;
  const catalog = viewOf(layoutBytes(layout, pointer, 4)).getUint32(0, true) * 2048;
  for (const [offset, bytes] of [
    [pointer, Uint8Array.of(255, 255, 255, 255)],
    [catalog + 4, Uint8Array.of(1)],
    [catalog + 30, Uint8Array.of(0)],
    [catalog + 64 + 2, Uint8Array.of(255)],
  ] as const) {
    await assert.rejects(readBootCatalog(damagedImage(layout, [[offset, bytes]])), { code: "FORMAT_INVALID" });
  }
});
