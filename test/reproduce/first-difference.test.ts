// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { OutputPlan } from "../../builder/plan/plan.ts";
import { firstDifference, firstDifferingMember, locateOffset } from "./first-difference.ts";

const dir = mkdtempSync(join(tmpdir(), "difference-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const long = Buffer.alloc(3 * MIB + 5, 7);

for (const { name, change, want } of [
  { name: "equal files", change: (b: Buffer) => b, want: undefined },
  { name: "the first byte", change: (b: Buffer) => b.fill(1, 0, 1), want: 0 },
  { name: "a byte at a chunk's edge", change: (b: Buffer) => b.fill(1, MIB, MIB + 1), want: MIB },
  { name: "the last byte", change: (b: Buffer) => b.fill(1, b.length - 1), want: long.length - 1 },
  { name: "a shorter file", change: (b: Buffer) => b.subarray(0, MIB + 3), want: MIB + 3 },
  { name: "a longer file", change: (b: Buffer) => Buffer.concat([b, b]), want: long.length },
  { name: "an empty file", change: (b: Buffer) => b.subarray(0, 0), want: 0 },
]) {
  test(`firstDifference finds ${name}`, async () => {
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    writeFileSync(a, long);
    writeFileSync(b, change(Buffer.from(long)));
    assert.equal(await firstDifference(a, b), want);
  });
}

const SECTIONS = [{ name: ".linux", offset: 4096, size: 1000 }];
const COMMON = { file: "x", diskGuid: "", uki: SECTIONS } as const;
const ESP = {
  volumeId: 1,
  label: "",
  clusterBytes: 512,
  files: [
    { name: "loader/loader.conf", offset: 2048, size: 10 },
    { name: "EFI/Linux/dodeka_1.efi", offset: 4096, size: 8192 },
  ],
};
const PARTITIONS = [
  { name: "EFI", offset: MIB, size: MIB, typeGuid: "", guid: "" },
  { name: "META", offset: 2 * MIB, size: MIB, typeGuid: "", guid: "" },
];
const RAW: OutputPlan = { ...COMMON, kind: "raw", size: 4 * MIB, sectorBytes: 512, partitions: PARTITIONS, esp: ESP };
const ISO: OutputPlan = {
  ...COMMON,
  kind: "iso",
  size: 2 * MIB,
  volumeId: "X",
  partitions: PARTITIONS.slice(0, 1),
  esp: ESP,
  files: [{ name: "boot/grub-cd.img", offset: 65536, size: 100 }],
};
const CARRIED = { files: [{ name: "EFI/Linux/dodeka_1.efi", offset: 6000, size: 2000 }], uki: [...SECTIONS] };
const UKI: OutputPlan = { kind: "uki", file: "x", size: 8192, sections: SECTIONS, carried: CARRIED };

for (const [plan, offset, want] of [
  [RAW, 440, "MBR, byte 440"],
  [RAW, 512 + 56, "GPT header, byte 56 of it"],
  [RAW, 1024 + 128 + 16, "GPT entry 2, byte 16 of it"],
  [RAW, 100_000, "space between partitions"],
  [RAW, MIB + 3, "partition EFI, FAT structures, byte 3 of the volume"],
  [RAW, MIB + 2050, "partition EFI, loader/loader.conf, byte 2 of it"],
  [RAW, MIB + 4096 + 4, "partition EFI, EFI/Linux/dodeka_1.efi, the stub and its headers, byte 4 of the UKI"],
  [RAW, MIB + 4096 + 4100, "partition EFI, EFI/Linux/dodeka_1.efi, section .linux, byte 4 of it"],
  [RAW, 2 * MIB + 9, "partition META, byte 9 of it"],
  [RAW, 4 * MIB - 512 - 16_384, "backup GPT entry 1, byte 0 of it"],
  [RAW, 4 * MIB - 500, "backup GPT header, byte 12 of it"],
  [ISO, 445, "MBR, byte 445"],
  [ISO, 32_768 + 813, "ISO9660 structures, block 16, byte 813 of it"],
  [ISO, 65_540, "boot/grub-cd.img, byte 4 of it"],
  [ISO, MIB + 2050, "partition EFI, loader/loader.conf, byte 2 of it"],
  [UKI, 4099, "section .linux, byte 3 of it"],
  [UKI, 6005, "carried EFI/Linux/dodeka_1.efi, the stub and its headers, byte 5 of the UKI"],
  [{ kind: "initramfs", file: "x", size: 9000, carried: CARRIED }, 100, "byte 100 of the initramfs"],
  [{ kind: "cmdline", file: "x", size: 3, text: "abc" }, 2, "byte 2 of the cmdline"],
] as readonly (readonly [OutputPlan, number, string])[]) {
  test(`locateOffset names ${want} (${plan.kind})`, () => {
    assert.equal(locateOffset(plan, offset), want);
  });
}

for (const [a, b, want] of [
  [{ x: { y: [1, 2] } }, { x: { y: [1, 2] } }, undefined],
  [{ x: { y: [1, 2] } }, { x: { y: [1, 3] } }, "x.y.1: 2 and 3"],
  [{ x: 1 }, { x: 1, z: "new" }, 'z: undefined and "new"'],
  [{ x: { y: 1 } }, { x: null }, 'x: {"y":1} and null'],
] as const) {
  test(`firstDifferingMember of ${JSON.stringify(a)} and ${JSON.stringify(b)}`, () => {
    assert.equal(firstDifferingMember(a, b), want);
  });
}
