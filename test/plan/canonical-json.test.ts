// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../../builder/layout/digest.ts";
import { canonicalJson } from "../../builder/plan/canonical-json.ts";

// Frozen: a change here renames every plan.
const SAMPLES: readonly (readonly [value: unknown, text: string, digest: string])[] = [
  [null, "null", "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"],
  [{}, "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"],
  [2 ** 53 - 1, "9007199254740991", "f40b423c2dd95ff2b2f027e22208f438cf7242862e5e746860e697308c9add26"],
  [
    { b: 1, a: [true, "x€\n"], é: { z: 0, "😀": -1, "\ufb33": 2 } },
    '{"a":[true,"x€\\n"],"b":1,"é":{"z":0,"😀":-1,"\ufb33":2}}', // by UTF-16 units 😀 comes before U+FB33
    "134a1365d95a8bbd1b3165c2f58a9cb8a66e3b989df3ee3a2d304a3acbd2048a",
  ],
];

for (const [value, text, digest] of SAMPLES) {
  test(`canonicalJson writes ${text}`, () => {
    assert.equal(canonicalJson(value), text);
    assert.equal(sha256(canonicalJson(value)), digest);
  });
}

test("canonicalJson escapes as RFC 8785 section 3.2.2.2 does", () => {
  assert.equal(canonicalJson('\b\t\n\f\r\u001f"\\/\u007f\u2028'), '"\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007f\u2028"');
});

test("canonicalJson does not depend on the order of members and keeps the value", () => {
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: "binary" }),
      tie("list"),
      tie("object"),
    ),
    list: fc.array(tie("value"), { maxLength: 4 }),
    object: fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 5 }),
  }));
  fc.assert(
    fc.property(json.object, (value) => {
      const reversed = Object.fromEntries(Object.entries(value as object).toReversed());
      assert.equal(canonicalJson(reversed), canonicalJson(value));
      assert.equal(canonicalJson(JSON.parse(canonicalJson(value))), canonicalJson(value));
    }),
  );
});

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const cyclic: unknown[] = [];
cyclic.push(cyclic);
const REFUSED: readonly (readonly [name: string, value: unknown])[] = [
  ["a fraction", { a: 0.5 }],
  ["a number over 2^53", 2 ** 53],
  ["NaN", Number.NaN],
  ["undefined", { a: undefined }],
  ["a hole", [1, , 2]], // eslint-disable-line no-sparse-arrays
  ["a bigint", 1n],
  ["a lone surrogate", "\ud800"],
  ["a lone surrogate in a key", { "\udc00": 1 }],
  ["a map", new Map()],
  ["bytes", new Uint8Array(1)],
  ["a date", new Date(0)],
  ["a symbol as a key", { [Symbol("a")]: 1 }],
  ["nesting over 64 levels", deep(65)],
  ["a cycle", cyclic],
];

for (const [name, value] of REFUSED) {
  test(`canonicalJson refuses ${name}`, () => {
    assert.throws(() => canonicalJson(value), { name: "FactoryError", code: "BUG" });
  });
}

test("canonicalJson takes 64 levels", () => {
  assert.equal(canonicalJson(deep(64)).length, 129);
});
