// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHUNK_BYTES, ZEROS, readLayout } from "../../builder/encode/read-layout.ts";
import { blobLayout, bytesLayout, concatLayouts, sliceLayout, zerosLayout } from "../../builder/layout/extent.ts";
import { collect, mapSource } from "./blob-samples.ts";
import { patternBytes } from "../layout/layout-image.ts";

const BIG = patternBytes(3 * CHUNK_BYTES + 5, 1);
const SMALL = patternBytes(700, 2);
const source = mapSource(BIG, SMALL);
const [big, small] = source.layouts;
const LAYOUT = concatLayouts([
  bytesLayout(patternBytes(100, 3)),
  sliceLayout(big, 10, BIG.length - 10),
  zerosLayout(2 * CHUNK_BYTES + 3),
  small,
  zerosLayout(1),
  bytesLayout(patternBytes(CHUNK_BYTES + 1, 4)),
  sliceLayout(small, 0, 1),
]);
const WHOLE = Buffer.concat([
  patternBytes(100, 3),
  BIG.subarray(10, BIG.length - 10),
  new Uint8Array(2 * CHUNK_BYTES + 3),
  SMALL,
  new Uint8Array(1),
  patternBytes(CHUNK_BYTES + 1, 4),
  SMALL.subarray(0, 1),
]);

test("readLayout gives all bytes in order", async () => {
  assert.equal(Buffer.compare(await collect(readLayout(LAYOUT, source)), WHOLE), 0);
});

test("readLayout gives any range as the slice of the whole, at every edge and at random", async () => {
  const edges = LAYOUT.extents.flatMap((e) => [-1, 0, 1].map((d) => Math.max(0, e.offset + d))).concat(LAYOUT.length);
  const position = fc.oneof(fc.constantFrom(...edges), fc.nat({ max: LAYOUT.length }));
  const range = fc.tuple(position, position).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
  await fc.assert(
    fc.asyncProperty(range, async ({ start, end }) => {
      const bytes = await collect(readLayout(LAYOUT, source, { start, end }));
      assert.equal(Buffer.compare(bytes, WHOLE.subarray(start, end)), 0);
    }),
    { numRuns: 150 },
  );
});

test("readLayout yields no chunk over 1 MiB and none empty, and never touches the shared zeros", async () => {
  for await (const chunk of readLayout(LAYOUT, source)) assert.ok(chunk.length > 0 && chunk.length <= CHUNK_BYTES);
  assert.ok(ZEROS.every((byte) => byte === 0));
});

test("readLayout reads nothing of a blob outside the range", async () => {
  const asked: number[][] = [];
  const spy = mapSource(BIG, SMALL, (offset, length) => asked.push([offset, length]));
  await collect(readLayout(LAYOUT, spy, { start: 200, end: 300 }));
  assert.deepEqual(asked, [[110, 100]]);
});

for (const [name, claimed] of [
  ["fewer", BIG.length + 1],
  ["more", BIG.length - 1],
] as const) {
  test(`readLayout refuses a blob with ${name} bytes than the layout says`, async () => {
    const [extent] = big.extents;
    assert.ok(extent?.source.kind === "blob");
    const lying = blobLayout({ digest: extent.source.digest, size: claimed });
    const whole = { read: (digest: typeof extent.source.digest) => source.read(digest, 0, BIG.length) };
    await assert.rejects(collect(readLayout(lying, whole)), { code: "STORE_CORRUPT" });
  });
}

test("readLayout refuses a range outside the layout", async () => {
  await assert.rejects(collect(readLayout(LAYOUT, source, { start: 0, end: LAYOUT.length + 1 })), {
    code: "LAYOUT_OVERFLOW",
  });
});
