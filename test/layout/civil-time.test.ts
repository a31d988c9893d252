// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { civilTime, epochFromCivil } from "../../builder/layout/civil-time.ts";

const RANGE = { format: "test", first: 1, last: 9999 };

test("civilTime agrees with the platform's calendar", () => {
  fc.assert(
    fc.property(fc.integer({ min: -59_000_000_000, max: 250_000_000_000 }), (seconds) => {
      const t = civilTime(seconds, RANGE);
      assert.equal(Date.UTC(t.year, t.month - 1, t.day, t.hour, t.minute, t.second) / 1000, seconds);
      assert.equal(new Date(seconds * 1000).getUTCDate(), t.day);
    }),
  );
});

for (const seconds of [951_782_400, 4_107_542_399, 0, -1, 1_709_164_800]) {
  test(`civilTime splits ${seconds} as an ISO date`, () => {
    const t = civilTime(seconds, RANGE);
    const text = `${t.year}-${two(t.month)}-${two(t.day)}T${two(t.hour)}:${two(t.minute)}:${two(t.second)}.000Z`;
    assert.equal(text, new Date(seconds * 1000).toISOString());
  });
}

for (const seconds of [0.5, Number.NaN, Infinity, -86_400 * 366 * 2000, 2 ** 53]) {
  test(`civilTime refuses ${seconds}`, () => {
    assert.throws(() => civilTime(seconds, RANGE), { code: "LAYOUT_OVERFLOW", message: /test epochSeconds/ });
  });
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

const civil = { year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 59 };

test("epochFromCivil is the inverse of civilTime", () => {
  for (const seconds of [-1, 0, 951_782_400, 1_709_164_800, 4_107_542_399, 253_402_300_799]) {
    assert.equal(epochFromCivil(civilTime(seconds, { format: "test", first: 0, last: 9999 })), seconds);
  }
  assert.equal(epochFromCivil(civil), Date.UTC(2024, 1, 29, 23, 59, 59) / 1000);
});

for (const change of [
  { year: 2023 },
  { month: 0 },
  { month: 13 },
  { day: 0 },
  { day: 30 },
  { hour: 24 },
  { minute: 60 },
  { second: 60 },
  { second: 0.5 },
  { day: Number.NaN },
]) {
  test(`epochFromCivil knows no time with ${JSON.stringify(change)}`, () => {
    assert.equal(epochFromCivil({ ...civil, ...change }), undefined);
  });
}
