// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeDifferences, uselessExceptions } from "./exceptions.ts";

const iso = { file: "metal.iso", reason: "the maker of that field draws lots; see its defect" };
const raw = { file: "metal.raw", reason: "the maker of that field draws lots; see its defect" };
const difference = { file: "metal.iso", text: "metal.iso differs at 7" };

test("an exception covers its own file and no other", () => {
  assert.deepEqual(judgeDifferences([difference], []), { unexcused: [difference], used: [] });
  assert.deepEqual(judgeDifferences([difference], [raw]), { unexcused: [difference], used: [] });
  assert.deepEqual(judgeDifferences([difference], [iso, raw]), { unexcused: [], used: [iso] });
  const beside = { file: "metal.iso.cdx.json", text: "" };
  assert.deepEqual(judgeDifferences([beside], [iso]).unexcused, [beside]);
});

test("an exception that nothing needed is useless, and so is one without a reason", () => {
  assert.deepEqual(uselessExceptions([iso, raw], new Set([iso])), [raw]);
  const bare = { file: "metal.iso", reason: " " };
  assert.deepEqual(uselessExceptions([bare], new Set([bare])), [bare]);
});
