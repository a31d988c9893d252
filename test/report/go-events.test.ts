// SPDX-License-Identifier: Apache-2.0
// What the stage of Go tests counts, and what it shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents } from "../userland/go-events.ts";

/** The lines of one test that says something and ends so. */
function testLines(name: string, says: string, action: string): readonly string[] {
  const event = { Package: "p", Test: name };
  return [
    { ...event, Action: "output", Output: `    a_test.go:1: ${says}\n` },
    { ...event, Action: action },
  ].map((line) => JSON.stringify(line));
}

function packageLines(action: string): readonly string[] {
  return [JSON.stringify({ Action: action, Package: "p" })];
}

const CASES = [
  {
    name: "a package that passes",
    lines: [...testLines("TestA", "noise", "pass"), ...packageLines("pass")],
    is: [1, 0],
  },
  { name: "a test that fails", lines: [...testLines("TestA", "wrong", "fail"), ...packageLines("fail")], is: [0, 1] },
  {
    name: "a missing judge",
    lines: [...testLines("TestA", "mke2fs is missing", "skip"), ...packageLines("pass")],
    is: [1, 1],
  },
  {
    name: "what cannot be lent",
    lines: [...testLines("TestA", "no loop device: x", "skip"), ...packageLines("pass")],
    is: [1, 0],
  },
  { name: "a package without tests", lines: packageLines("skip"), is: [0, 0] },
] as const;

for (const { name, lines, is } of CASES) {
  test(`${name} counts`, () => {
    const { passed, failed } = readEvents(lines.join("\n"));
    assert.deepEqual([passed, failed], is);
  });
}

test("shown is what went wrong and what is no event", () => {
  const lines = [
    "a.go:1:1: cannot compile",
    ...testLines("TestA", "noise", "pass"),
    ...testLines("TestB", "wrong", "fail"),
  ];
  assert.equal(readEvents(lines.join("\n")).shown, "a.go:1:1: cannot compile\n    a_test.go:1: wrong");
});
