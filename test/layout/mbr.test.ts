// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHybridMbr, encodeProtectiveMbr } from "../../builder/layout/mbr.ts";
import type { HybridEntry } from "../../builder/layout/mbr.ts";

const record = (sector: Uint8Array, index: number): string =>
  Buffer.from(sector.subarray(446 + index * 16, 462 + index * 16)).toString("hex");
const DUMMY: HybridEntry = { type: 0, firstLba: 0, sectors: 1, active: true };
const PART: HybridEntry = { type: 0xef, firstLba: 64, sectors: 8, active: false };

const PROTECTIVE: readonly (readonly [totalSectors: number, want: string])[] = [
  [2, "00000200eeffffff0100000001000000"],
  [262_144, "00000200eeffffff01000000ffff0300"],
  [2 ** 32, "00000200eeffffff01000000ffffffff"],
  [2 ** 40, "00000200eeffffff01000000ffffffff"], // the specification's value, not a cut
];

for (const [totalSectors, want] of PROTECTIVE) {
  test(`encodeProtectiveMbr guards a disk of ${totalSectors} sectors`, () => {
    const sector = encodeProtectiveMbr({ totalSectors });
    assert.equal(record(sector, 0), want);
    assert.deepEqual([sector.length, sector[510], sector[511]], [512, 0x55, 0xaa]);
    assert.ok(sector.subarray(462, 510).every((byte) => byte === 0));
  });
}

test("encodeProtectiveMbr holds boot code of 440 bytes and the signature behind it", () => {
  const sector = encodeProtectiveMbr({
    totalSectors: 100,
    bootCode: new Uint8Array(440).fill(0x90),
    diskSignature: 0x0403_0201,
  });
  assert.ok(sector.subarray(0, 440).every((byte) => byte === 0x90));
  assert.equal(Buffer.from(sector.subarray(440, 446)).toString("hex"), "010203040000");
});

test("encodeHybridMbr puts its entries behind the protective one", () => {
  const sector = encodeHybridMbr({ totalSectors: 1000, entries: [DUMMY, PART] });
  assert.equal(record(sector, 0), "00000200eeffffff01000000e7030000");
  assert.equal(record(sector, 1), "8000010000ffffff0000000001000000");
  assert.equal(record(sector, 2), "00000100efffffff4000000008000000");
  assert.equal(record(sector, 3), "0".repeat(32));
});

const REFUSED: readonly (readonly [string, string, Parameters<typeof encodeHybridMbr>[0]])[] = [
  ["boot code of 441 bytes", "LAYOUT_OVERFLOW", { totalSectors: 100, bootCode: new Uint8Array(441), entries: [] }],
  ["four entries", "LAYOUT_INVALID", { totalSectors: 100, entries: [PART, PART, PART, PART] }],
  ["two active entries", "LAYOUT_INVALID", { totalSectors: 100, entries: [DUMMY, DUMMY] }],
  ["an entry past the disk", "LAYOUT_OVERFLOW", { totalSectors: 71, entries: [PART] }],
  ["an entry without sectors", "LAYOUT_OVERFLOW", { totalSectors: 100, entries: [{ ...PART, sectors: 0 }] }],
  ["an entry beyond 32 bits", "LAYOUT_OVERFLOW", { totalSectors: 2 ** 40, entries: [{ ...PART, firstLba: 2 ** 32 }] }],
  ["a disk of one sector", "LAYOUT_OVERFLOW", { totalSectors: 1, entries: [] }],
  ["a signature over 32 bits", "LAYOUT_OVERFLOW", { totalSectors: 100, diskSignature: 2 ** 32, entries: [] }],
];

for (const [name, code, request] of REFUSED) {
  test(`encodeHybridMbr refuses ${name}`, () => {
    assert.throws(() => encodeHybridMbr(request), { name: "FactoryError", code });
  });
}
