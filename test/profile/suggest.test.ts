// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, suggestWord } from "../../builder/profile/suggest.ts";

test("editDistance counts the four kinds of slip", () => {
  const cases: readonly (readonly [a: string, b: string, want: number])[] = [
    ["", "", 0],
    ["", "abc", 3],
    ["disk", "disk", 0],
    ["dsk", "disk", 1],
    ["diskk", "disk", 1],
    ["dosk", "disk", 1],
    ["dikc", "disk", 2],
    ["idsk", "disk", 1],
    ["kitten", "sitting", 3],
  ];
  for (const [a, b, want] of cases) {
    assert.equal(editDistance(a, b), want, `${a} ${b}`);
    assert.equal(editDistance(b, a), want, `${b} ${a}`);
  }
});

test("suggestWord proposes near words only", () => {
  const known = ["platform", "outputs", "console", "iso"];
  const cases: readonly (readonly [typed: string, want: string | undefined])[] = [
    ["platfrom", "platform"],
    ["Outputs", "outputs"],
    ["isos", "iso"],
    ["ios", "iso"],
    ["x", undefined],
    ["network", undefined],
    ["", undefined],
    ["platform".repeat(100), undefined],
  ];
  for (const [typed, want] of cases) assert.equal(suggestWord(typed, known), want, typed);
});
