// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { complainAboutSize, formatSize, GIB, KIB, MIB, parseSize, SIZE_PATTERN } from "../../builder/profile/size.ts";

const cases: readonly { written: string | number; want: number | undefined }[] = [
  { written: 1, want: 1 },
  { written: "513", want: 513 },
  { written: "34MiB", want: 34 * MIB },
  { written: "1KiB", want: KIB },
  { written: "1024GiB", want: 1024 * GIB },
  { written: "8388607GiB", want: 8388607 * GIB },
  { written: "8388608GiB", want: undefined }, // 2^53 bytes
  { written: 0, want: undefined },
  { written: -1, want: undefined },
  { written: 1.5, want: undefined },
  { written: Number.NaN, want: undefined },
  { written: 2 ** 53, want: undefined },
  { written: "", want: undefined },
  { written: "0MiB", want: undefined },
  { written: "01MiB", want: undefined },
  { written: "1.5GiB", want: undefined },
  { written: "512 MiB", want: undefined },
  { written: "512mib", want: undefined },
  { written: "512MB", want: undefined },
  { written: "512M", want: undefined },
  { written: "1e9", want: undefined },
  { written: "0x10", want: undefined },
  { written: "1TiB", want: undefined },
  { written: "1MiB\n", want: undefined },
];

test("parseSize reads exact sizes and nothing else", () => {
  for (const { written, want } of cases) assert.equal(parseSize(written), want, String(written));
});

test("the schema's pattern and parseSize agree on strings", () => {
  const pattern = new RegExp(SIZE_PATTERN, "u");
  for (const { written, want } of cases) {
    if (typeof written === "string" && written !== "8388608GiB")
      assert.equal(pattern.test(written), want !== undefined);
  }
});

test("formatSize and parseSize are inverse", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (n) => parseSize(formatSize(n)) === n));
  assert.deepEqual([512 * MIB, GIB, 1536, 513].map(formatSize), ["512MiB", "1GiB", "1536", "513"]);
});

test("complainAboutSize names the remedy", () => {
  const bounds = { min: 34 * MIB, max: 1024 * GIB, multipleOf: MIB };
  const remedies: readonly { written: string | number; want: RegExp | undefined }[] = [
    { written: "34MiB", want: undefined },
    { written: "1024GiB", want: undefined },
    { written: "33MiB", want: /^write at least 34MiB$/ },
    { written: "1025GiB", want: /^write at most 1024GiB$/ },
    { written: 34 * MIB + 1, want: /^write 34MiB or 35MiB, a multiple of 1MiB$/ },
    { written: "512MB", want: /^write "512MiB" if powers of 1024/ },
    { written: "512 mib", want: /^write "512MiB" if/ },
    { written: "2g", want: /^write "2GiB" if/ },
    { written: "1.5GiB", want: /^write a whole number/ },
    { written: "plenty", want: undefined }, // the field's own words serve
  ];
  for (const { written, want } of remedies) {
    const fix = complainAboutSize(written, bounds)?.fix;
    if (want === undefined) assert.equal(fix, undefined, String(written));
    else assert.match(fix ?? "", want, String(written));
  }
});
