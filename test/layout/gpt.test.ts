// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { decodeGpt } from "../../builder/layout/gpt-decode.ts";
import { PARTITION_TYPES, encodeGpt, gptGeometry } from "../../builder/layout/gpt.ts";
import type { GptPartition, GptRequest } from "../../builder/layout/gpt.ts";
import { GPT_SAMPLE, gptPartition } from "./gpt-samples.ts";

const hex = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString("hex");

test("encodeGpt writes every field of the primary header in its place", () => {
  const { primary } = encodeGpt(GPT_SAMPLE);
  assert.equal(Buffer.from(primary.subarray(0, 8)).toString("latin1"), "EFI PART");
  assert.equal(hex(primary, 8, 16), "000001005c000000"); // revision 1.0, 92 bytes
  assert.equal(hex(primary, 24, 40), "0100000000000000ffff030000000000"); // own LBA, last LBA
  assert.equal(hex(primary, 40, 56), "2200000000000000deff030000000000"); // usable range
  assert.equal(hex(primary, 56, 72), "04030201060508078908090a0b0c0d0e"); // disk GUID, first three fields swapped
  assert.equal(hex(primary, 72, 88), "02000000000000008000000080000000"); // entries at 2, 128 of 128 bytes
  assert.equal(Buffer.from(primary).readUInt32LE(88), crc32(primary.subarray(512, 512 + 16384)));
  assert.ok(primary.subarray(92, 512).every((byte) => byte === 0));
});

test("encodeGpt writes every field of an entry in its place", () => {
  const { primary } = encodeGpt(GPT_SAMPLE);
  const entry = primary.subarray(512, 640);
  assert.equal(hex(entry, 0, 16), "28732ac11ff8d211ba4b00a0c93ec93b"); // ESP as on disks everywhere
  assert.equal(hex(entry, 32, 56), "0008000000000000ff0f0200000000000400000000000000");
  assert.equal(Buffer.from(entry.subarray(56)).toString("utf16le"), "EFI".padEnd(36, "\0"));
});

test("encodeGpt's backup has the entries first and points the other way", () => {
  const { primary, backup, backupEntriesLba, backupLba } = encodeGpt(GPT_SAMPLE);
  assert.deepEqual([backup.length, backupEntriesLba, backupLba], [33 * 512, 262_144 - 33, 262_144 - 1]);
  assert.equal(Buffer.compare(backup.subarray(0, 16384), primary.subarray(512)), 0);
  const header = Buffer.from(backup.subarray(16384));
  assert.deepEqual([header.readBigUInt64LE(24), header.readBigUInt64LE(32)], [262_143n, 1n]);
  assert.equal(header.readBigUInt64LE(72), 262_111n);
  const blanked = Buffer.from(header.subarray(0, 92)).fill(0, 16, 20);
  assert.equal(header.readUInt32LE(16), crc32(blanked));
});

test("gptGeometry leaves the sectors between the tables", () => {
  const usable = (sectorBytes: 512 | 4096, total: number): readonly number[] => {
    const { firstUsableLba, lastUsableLba, backupLba } = gptGeometry(sectorBytes, total);
    return [firstUsableLba, lastUsableLba, backupLba];
  };
  assert.deepEqual(usable(512, 2048), [34, 2014, 2047]);
  assert.deepEqual(usable(4096, 2048), [6, 2042, 2047]);
  assert.deepEqual(usable(512, 68), [34, 34, 67]);
  assert.throws(() => gptGeometry(512, 67), { code: "LAYOUT_OVERFLOW" });
});

const one = (over: Partial<GptPartition>): GptRequest => ({ ...GPT_SAMPLE, partitions: [gptPartition(1, over)] });
const REFUSED: readonly (readonly [name: string, code: string, request: GptRequest])[] = [
  ["a partition before the usable range", "LAYOUT_INVALID", one({ firstLba: 33 })],
  ["a partition past the usable range", "LAYOUT_INVALID", one({ lastLba: 262_144 - 33 })],
  ["an empty partition", "LAYOUT_INVALID", one({ firstLba: 100, lastLba: 99 })],
  ["a fraction of a sector", "LAYOUT_INVALID", one({ firstLba: 100.5 })],
  ["a name of 37 units", "LAYOUT_OVERFLOW", one({ name: "n".repeat(37) })],
  ["a name of 19 emoji, 38 units", "LAYOUT_OVERFLOW", one({ name: "😀".repeat(19) })],
  ["a NUL in a name", "LAYOUT_INVALID", one({ name: "a\0b" })],
  ["an upper-case GUID", "LAYOUT_INVALID", one({ guid: "01020304-0506-0708-8909-0A0B0C0D0E0F" })],
  ["attributes over 64 bits", "LAYOUT_OVERFLOW", one({ attributes: 1n << 64n })],
  [
    "two partitions that share a sector",
    "LAYOUT_INVALID",
    {
      ...GPT_SAMPLE,
      partitions: [gptPartition(1, { firstLba: 100, lastLba: 200 }), gptPartition(2, { firstLba: 200, lastLba: 300 })],
    },
  ],
  [
    "two partitions of one GUID",
    "LAYOUT_INVALID",
    {
      ...GPT_SAMPLE,
      partitions: [gptPartition(1, { firstLba: 100, lastLba: 199 }), gptPartition(1, { firstLba: 200, lastLba: 300 })],
    },
  ],
  [
    "129 partitions",
    "LAYOUT_OVERFLOW",
    {
      ...GPT_SAMPLE,
      partitions: Array.from({ length: 129 }, (_, i) => gptPartition(i, { firstLba: 100 + i, lastLba: 100 + i })),
    },
  ],
];

for (const [name, code, request] of REFUSED) {
  test(`encodeGpt refuses ${name}`, () => {
    assert.throws(() => encodeGpt(request), { name: "FactoryError", code });
  });
}

test("decodeGpt reads back what encodeGpt wrote, on both sector sizes", () => {
  for (const sectorBytes of [512, 4096] as const) {
    const { primary, firstUsableLba, lastUsableLba, backupLba } = encodeGpt({ ...GPT_SAMPLE, sectorBytes });
    assert.deepEqual(decodeGpt(primary, sectorBytes), {
      diskGuid: GPT_SAMPLE.diskGuid,
      firstUsableLba,
      lastUsableLba,
      backupLba,
      partitions: GPT_SAMPLE.partitions.map((p, i) => ({ attributes: 0n, ...p, number: i + 1 })),
    });
  }
});

test("decodeGpt refuses a table with any single bit of header or entries flipped", () => {
  const { primary } = encodeGpt(GPT_SAMPLE);
  const bit = fc.nat({ max: (92 + 16384) * 8 - 1 });
  fc.assert(
    fc.property(bit, (position) => {
      const at = position >>> 3;
      const damaged = Uint8Array.from(primary);
      const place = at < 92 ? at : 512 + at - 92;
      damaged[place] = (damaged[place] ?? 0) ^ (1 << (position & 7));
      assert.throws(() => decodeGpt(damaged, 512), { code: "FORMAT_INVALID" });
    }),
    { numRuns: 300 },
  );
});

test("decodeGpt answers random bytes with a FactoryError and nothing else", () => {
  const { primary } = encodeGpt({ ...GPT_SAMPLE, sectorBytes: 4096 });
  const patch = fc.record({ at: fc.nat({ max: 4096 + 512 }), bytes: fc.uint8Array({ maxLength: 64 }) });
  fc.assert(
    fc.property(
      fc.array(patch, { maxLength: 4 }),
      fc.nat({ max: primary.length }),
      fc.boolean(),
      (patches, length, fix) => {
        const bytes = Buffer.from(primary);
        for (const p of patches) bytes.set(p.bytes, p.at);
        if (fix) repairChecksums(bytes, 4096); // so that the fuzzer gets past them
        try {
          decodeGpt(length % 2 === 0 ? bytes : bytes.subarray(0, length), 4096);
        } catch (error) {
          assert.ok(error instanceof FactoryError && error.code === "FORMAT_INVALID", String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

function repairChecksums(table: Buffer, sectorBytes: number): void {
  table.writeUInt32LE(crc32(table.subarray(sectorBytes, sectorBytes + 16384)), 88);
  table.writeUInt32LE(crc32(Buffer.from(table.subarray(0, 92)).fill(0, 16, 20)), 16);
}

test("PARTITION_TYPES are the well-known GUIDs", () => {
  assert.equal(PARTITION_TYPES.biosBoot, "21686148-6449-6e6f-744e-656564454649"); // reads "Hah!IdontNeedEFI" on disk
  const { primary } = encodeGpt(one({ typeGuid: PARTITION_TYPES.biosBoot }));
  assert.equal(Buffer.from(primary.subarray(512, 528)).toString("latin1"), "Hah!IdontNeedEFI");
});
