// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareDebianVersions } from "../../builder/release/debian-version.ts";

/** Each older than the next; the first five are Debian Policy 5.6.12's own example of what sorts before what. */
const ORDERS: readonly (readonly string[])[] = [
  ["~~", "~~a", "~", "", "a"],
  ["1.0~beta1~svn1245", "1.0~beta1", "1.0"],
  ["1.0", "1.0+deb13u1", "1.1", "1.9", "1.10", "1.10a", "1.10+1"],
  ["9.9", "1:0.1", "2:0"],
  ["1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2~bpo13+1", "1.0-2", "1.0-10"],
  ["1.0-1~deb13u1", "1.0-1"],
  ["3.5.7-1~deb13u2", "3.5.7-1~deb13u10"],
  ["2024-1", "2024a-0+deb13u1", "2024b-0"],
  ["1.0.0", "1.0.0.1", "1.0.a"],
  ["99999999999999999998", "99999999999999999999"],
];

for (const order of ORDERS) {
  test(`compareDebianVersions orders ${order.map((v) => JSON.stringify(v)).join(" < ")}`, () => {
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries()) {
        assert.equal(Math.sign(compareDebianVersions(a, b)), Math.sign(i - j), `${a} against ${b}`);
      }
    }
  });
}

for (const [a, b] of [
  ["1.0", "1.0-0"],
  ["0:1.0", "1.0"],
  ["1.00", "1.0"],
  ["1.007-01", "1.7-1"],
  ["a-b-1", "a-b-1"],
] as const) {
  test(`compareDebianVersions takes ${a} and ${b} as equal`, () => {
    assert.equal(compareDebianVersions(a, b), 0);
    assert.equal(compareDebianVersions(b, a), 0);
  });
}
