// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { readFat32 } from "../../builder/layout/fat32-read.ts";
import { layoutFat32 } from "../../builder/layout/fat32.ts";
import { fatFile, fatOptions } from "./fat32-samples.ts";
import { damagedImage, layoutImage } from "./layout-image.ts";

const TABLE = 38 * 512; // see the golden of fat32.test.ts
const SMALL = layoutFat32(
  fatOptions({ files: [fatFile("A", 1000), fatFile("d/B", 513), fatFile("d/long name", 1)], fileAlignment: 512 }),
);
const DATA = (SMALL.files.get("A")?.offset ?? 0) - 2 * 512; // after the root and d

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

for (const sectorBytes of [512, 4096] as const) {
  test(`readFat32 finds what layoutFat32 placed with sectors of ${sectorBytes} bytes`, async () => {
    const options = fatOptions({ sectorBytes, lengthBytes: 300 * 2 ** 20 });
    const volume = layoutFat32(options);
    const found = await readFat32(layoutImage(volume.layout));
    assert.equal(found.label, options.label);
    assert.equal(found.volumeId, options.volumeId);
    assert.equal(found.sectorBytes, sectorBytes);
    assert.equal(found.clusterBytes, volume.clusterBytes);
    const files = found.files.filter((f) => f.kind === "file");
    const want = [...volume.files].map(([path, range]) => [path, range.length === 0 ? [] : [range]] as const);
    assert.deepEqual(new Map(files.map((f) => [f.path, f.runs])), new Map(want));
  });
}

test("readFat32 reports the runs of a fragmented file", async () => {
  const free = 20; // A is clusters 4 and 5; its second cluster moves to a free one
  const image = damagedImage(SMALL.layout, [
    [TABLE + 4 * 4, u32(free)],
    [TABLE + free * 4, u32(0x0fff_ffff)],
  ]);
  const found = await readFat32(image);
  assert.deepEqual(found.files.find((f) => f.path === "A")?.runs, [
    { offset: DATA + 2 * 512, length: 512 },
    { offset: DATA + 18 * 512, length: 488 },
  ]);
});

test("readFat32 falls back to the short name when the long one does not match it", async () => {
  const dirEntries = DATA + 512; // d: ".", "..", "B", the long-name part, the short entry
  const image = damagedImage(SMALL.layout, [[dirEntries + 3 * 32 + 13, Uint8Array.of(0)]]);
  const found = await readFat32(image);
  assert.deepEqual(
    found.files.map((f) => f.path),
    ["A", "d", "d/B", "d/LONGNA~1"],
  );
});

const root = (index: number, field: number): number => DATA + index * 32 + field; // label, A, long name part of d, d
for (const [name, offset, bytes] of [
  ["no signature", 510, Uint8Array.of(0)],
  ["sectors of 513 bytes", 11, Uint8Array.of(1, 2)],
  ["clusters of no sectors", 13, Uint8Array.of(0)],
  ["more sectors than the image has", 32, u32(131_073)],
  ["too few clusters", 32, u32(60_000)],
  ["a table that is too short", 36, u32(1)],
  ["a table past the end", 36, u32(0xffff_ffff)],
  ["a root cluster out of range", 44, u32(0x0fff_0000)],
  ["a root chain that loops", TABLE + 2 * 4, u32(2)],
  ["a chain into another", TABLE + 4 * 4, u32(3)],
  ["a chain that ends in a free cluster", TABLE + 5 * 4, u32(0)],
  ["a chain longer than its file", TABLE + 5 * 4, u32(30)],
  ["a directory that is its own child", root(3, 26), Uint8Array.of(2)],
  ["a file larger than its chain", root(1, 28), u32(100_000)],
  ["a file with a slash in its name", root(1, 0), Buffer.from("A/B")],
  ["a name that comes twice", root(1, 0), Buffer.from("d")],
] satisfies [string, number, Uint8Array][]) {
  test(`readFat32 refuses ${name}`, async () => {
    await assert.rejects(readFat32(damagedImage(SMALL.layout, [[offset, bytes]])), { code: "FORMAT_INVALID" });
  });
}

test("readFat32 either lists or refuses any damaged volume, and ends", async () => {
  const place = fc.oneof(
    fc.integer({ min: 0, max: 95 }),
    fc.integer({ min: TABLE, max: TABLE + 60 }),
    fc.integer({ min: DATA, max: DATA + 1023 }),
  );
  const patch = fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(fc.array(patch, { minLength: 1, maxLength: 6 }), async (patches) => {
      try {
        const found = await readFat32(damagedImage(SMALL.layout, patches));
        for (const run of found.files.flatMap((f) => f.runs)) assert.ok(run.offset + run.length <= SMALL.layout.length);
      } catch (error) {
        assert.ok(error instanceof FactoryError && error.code === "FORMAT_INVALID", String(error));
      }
    }),
    { numRuns: 300 },
  );
});
