// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { readIso } from "../../builder/layout/iso9660-read.ts";
import { layoutIso } from "../../builder/layout/iso9660.ts";
import { hybridOptions, isoFile, isoOptions } from "./iso9660-samples.ts";
import { damagedImage, layoutBytes, layoutImage } from "./layout-image.ts";

const SMALL = layoutIso(
  isoOptions({ entries: [isoFile("a", 3000), isoFile("dir/lower case", 5), isoFile(`dir/${"n".repeat(255)}`, 6)] }),
);
const ROOT = 20 * 2048; // descriptors 16 and 17, path tables 18 and 19, the root with its continuation, then `dir`
const DIR = ROOT + 2 * 2048;

function both(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value, true);
  view.setUint32(4, value, false);
  return bytes;
}

/** Offset of record `index` of the directory at `directory`. */
function record(directory: number, index: number): number {
  let at = directory;
  for (let i = 0; i < index; i++) at += layoutBytes(SMALL.layout, at, 1)[0] ?? 0;
  return at;
}

/** Offset of a system use field in the image, searched from `start`. */
function field(start: number, signature: string): number {
  return start + Buffer.from(layoutBytes(SMALL.layout, start, 2048)).indexOf(signature);
}

test("readIso finds what layoutIso placed", async () => {
  const { options } = hybridOptions();
  const volume = layoutIso(options);
  const found = await readIso(layoutImage(volume.layout));
  assert.equal(found.volumeId, options.volumeId);
  assert.equal(found.volumeBytes, volume.layout.length);
  assert.equal(found.rockRidge, true);
  const files = found.files
    .filter((f) => f.kind === "file")
    .map(({ path, offset, length }) => [path, { offset, length }] as const);
  assert.deepEqual(new Map(files), volume.files);
});

test("readIso shows ISO names without versions when there is no Rock Ridge", async () => {
  const found = await readIso(damagedImage(SMALL.layout, [[field(ROOT, "SP\u0007"), Buffer.from("XX")]]));
  assert.equal(found.rockRidge, false);
  assert.deepEqual(
    found.files.map((f) => f.path),
    ["A", "DIR", "DIR/LOWER_CASE", `DIR/${"N".repeat(30)}`],
  );
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
for (const [name, offset, patch] of [
  ["another descriptor", 16 * 2048, bytes(2)],
  ["another standard", 16 * 2048 + 1, Buffer.from("XX")],
  ["a volume longer than the image", 16 * 2048 + 80, both(10_000)],
  ["byte orders that differ", 16 * 2048 + 80, bytes(1)],
  ["a root past the end", 16 * 2048 + 156 + 2, both(10_000)],
  ["a directory of half a block", 16 * 2048 + 156 + 10, both(1000)],
  ["a directory that is its own child", record(ROOT, 3) + 2, both(20)],
  ["a file past the end", record(ROOT, 2) + 10, both(0xffff_ffff)],
  ["a record shorter than its header", record(ROOT, 2), bytes(20)],
  ["a name longer than its record", record(ROOT, 2) + 32, bytes(250)],
  ["a file of several extents", record(ROOT, 2) + 25, bytes(0x80)],
  ["a slash in a name", field(record(ROOT, 2), "NM") + 5, Buffer.from("/")],
  ["a control character in a name", field(record(ROOT, 2), "NM") + 5, bytes(10)],
  ["a name that is not UTF-8", field(record(ROOT, 2), "NM") + 5, bytes(0xff)],
  ["a name that never ends", field(record(ROOT, 2), "NM") + 4, bytes(1)],
  ["a field longer than its area", field(record(ROOT, 2), "PX") + 2, bytes(200)],
  ["a field of no length", field(record(ROOT, 2), "PX") + 2, bytes(0)],
  ["a continuation past the end", field(DIR, "CE") + 4, both(10_000)],
  ["a continuation across blocks", field(DIR, "CE") + 12, both(2000)],
  ["a continuation of itself", field(DIR, "CE") + 4, Buffer.concat([both(22), both(field(DIR, "CE") - DIR), both(28)])],
] satisfies [string, number, Uint8Array][]) {
  test(`readIso refuses ${name}`, async () => {
    await assert.rejects(readIso(damagedImage(SMALL.layout, [[offset, patch]])), { code: "FORMAT_INVALID" });
  });
}

test("readIso refuses a record that crosses its block", async () => {
  const [start, next] = [record(ROOT, 2), record(ROOT, 3)];
  const copies = Array.from({ length: 30 }, () => layoutBytes(SMALL.layout, start, next - start));
  const image = damagedImage(SMALL.layout, [[start, Buffer.concat(copies)]]);
  await assert.rejects(readIso(image), { code: "FORMAT_INVALID", message: /a directory record within one block/ });
});

test("readIso either lists or refuses any damaged volume, and ends", async () => {
  const place = fc.oneof(
    fc.integer({ min: 16 * 2048, max: 16 * 2048 + 200 }),
    fc.integer({ min: ROOT, max: ROOT + 400 }),
    fc.integer({ min: DIR, max: DIR + 600 }),
    fc.integer({ min: DIR + 2048, max: DIR + 2048 + 300 }),
  );
  const patch = fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(fc.array(patch, { minLength: 1, maxLength: 6 }), async (patches) => {
      try {
        const found = await readIso(damagedImage(SMALL.layout, patches));
        for (const file of found.files) assert.ok(file.offset + file.length <= SMALL.layout.length);
      } catch (error) {
        assert.ok(error instanceof FactoryError && error.code === "FORMAT_INVALID", String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
