// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatDuration } from "../../builder/report/quantity.ts";

test("formatDuration picks the unit", () => {
  const cases: readonly (readonly [ms: number, want: string])[] = [
    [0, "0.00 s"],
    [4, "0.00 s"],
    [42, "0.04 s"],
    [994, "0.99 s"],
    [995, "1.0 s"],
    [1000, "1.0 s"],
    [12_340, "12.3 s"],
    [59_940, "59.9 s"],
    [59_950, "1 min 00 s"],
    [123_400, "2 min 03 s"],
    [3_599_499, "59 min 59 s"],
    [3_599_500, "1 h 00 min"],
    [3_720_000, "1 h 02 min"],
  ];
  for (const [ms, want] of cases) assert.equal(formatDuration(ms), want, String(ms));
});

test("formatBytes picks the unit", () => {
  const cases: readonly (readonly [bytes: number, want: string])[] = [
    [0, "0 bytes"],
    [1023, "1023 bytes"],
    [1024, "1.0 KiB"],
    [13_107_200, "12.5 MiB"],
    [2 ** 30, "1.0 GiB"],
    [2 ** 40, "1.0 TiB"],
    [2 ** 50, "1024.0 TiB"],
  ];
  for (const [bytes, want] of cases) assert.equal(formatBytes(bytes), want);
});
