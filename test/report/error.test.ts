// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { bug, FactoryError, FactoryErrors } from "../../builder/errors.ts";
import type { ErrorCode, ErrorDetails } from "../../builder/errors.ts";
import { errorToJson } from "../../builder/report/error-json.ts";
import { renderError } from "../../builder/report/error-text.ts";
import { EXIT_MEANINGS, exitCodeFor, renderExitCodes } from "../../builder/report/exit-code.ts";
import { matchGolden } from "./golden.ts";

const SECTOR: ErrorDetails = {
  code: "PROFILE_INVALID",
  file: "profiles/edge.yaml",
  line: 14,
  column: 15,
  excerpt: "  sectorSize: 513",
  field: "disk.sectorSize",
  found: 513,
  expected: "512 or 4096 (bytes per logical sector)",
  fix: "write 512, or remove the field to take the default",
};

const child = new FactoryError({
  code: "ACTION_FAILED",
  field: "kernel: compile",
  found: "exit code 2",
  expected: "exit code 0",
  fix: "read the lines above",
  output: "\u001b[31merror:\u001b[0m no space\r\ncurl https://me:pw@host/x\n\n",
  cause: new Error("spawn make", { cause: new Error("Authorization: Bearer abc123") }),
});

const samples: readonly (readonly [name: string, error: unknown])[] = [
  ["a field of a profile", new FactoryError(SECTOR)],
  ["a failed child", child],
  ["nothing but a code", new FactoryError({ code: "CANCELLED", expected: "to go on", fix: "start it again" })],
  ["several", new FactoryErrors([new FactoryError(SECTOR), new FactoryError({ ...SECTOR, line: 15, found: "513" })])],
  [
    "an excerpt with tabs and wide characters",
    new FactoryError({ ...SECTOR, excerpt: "\t日本語: \u202e513", column: 7 }),
  ],
  ["an excerpt with a secret before the caret", new FactoryError({ ...SECTOR, excerpt: "token: abcdef 513" })],
  [
    "a long line with a secret",
    new FactoryError({ ...SECTOR, excerpt: `password: ${"s".repeat(300)} x`, column: 312 }),
  ],
  ["a long line", new FactoryError({ ...SECTOR, excerpt: "a: ".padEnd(5000, "x"), column: 4000 })],
  ["a line too long to show", new FactoryError({ ...SECTOR, excerpt: "x".repeat(10_001) })],
  ["a long value", new FactoryError({ ...SECTOR, found: "y".repeat(5000), excerpt: undefined })],
  ["a number beyond JSON", new FactoryError({ ...SECTOR, found: 2n ** 64n, excerpt: "" })],
];

test("errors read as agreed", () => {
  const texts = samples.map(([name, error]) => `== ${name}\n${renderError(error, { color: false })}\n`);
  matchGolden(new URL("golden/errors.txt", import.meta.url), texts.join("\n"));
});

test("errors as JSON are as agreed", () => {
  const texts = samples.map(([name, error]) => `== ${name}\n${JSON.stringify(errorToJson(error), undefined, 1)}\n`);
  matchGolden(new URL("golden/errors-json.txt", import.meta.url), texts.join("\n"));
});

test("colour adds escape sequences and nothing else", () => {
  for (const [name, error] of samples) {
    const colored = renderError(error, { color: true });
    assert.notEqual(colored, renderError(error, { color: false }), name);
    assert.equal(stripVTControlCharacters(colored), renderError(error, { color: false }), name);
  }
});

test("what the factory did not throw on purpose is shown as a defect with its stack", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const looped = new Error("loop");
  looped.cause = looped;
  const cases: readonly (readonly [error: unknown, first: RegExp])[] = [
    [new TypeError("x is not a function"), /^BUG: TypeError: x is not a function$/],
    [bug("a negative length"), /^BUG: FactoryError: found "a negative length": expected the invariant to hold$/],
    [looped, /^BUG: Error: loop$/],
    [circular, /^BUG: thrown: .*Circular/],
    ["text", /^BUG: thrown: 'text'$/],
    [undefined, /^BUG: thrown: undefined$/],
  ];
  for (const [error, first] of cases) {
    const lines = renderError(error, { color: false }).split("\n");
    assert.match(lines[0] ?? "", first);
    if (error instanceof Error) assert.match(lines[1] ?? "", /^ {4}at /);
    assert.match(lines.at(-1) ?? "", /^ {2}fix: report this defect/);
    const json = errorToJson(error);
    assert.deepEqual([json.code, json.exitCode, json.problems.length], ["BUG", 70, 1]);
    assert.deepEqual(json.problems[0]?.output, lines.slice(0, json.problems[0]?.output?.length).map(withoutBug));
  }
});

function withoutBug(line: string): string {
  return line.replace(/^BUG: /, "");
}

test("exitCodeFor follows the table", () => {
  const cases: readonly (readonly [code: ErrorCode, want: number])[] = [
    ["USAGE", 2],
    ["PROFILE_INVALID", 65],
    ["RELEASE_MISSING", 69],
    ["BUG", 70],
    ["OUTPUT_UNWRITABLE", 73],
    ["DISK_FULL", 74],
    ["NETWORK", 75],
    ["SOURCE_UNTRUSTED", 76],
    ["ACTION_FAILED", 1],
    ["CANCELLED", 130],
  ];
  for (const [code, want] of cases) {
    const error = new FactoryError({ code, expected: "x", fix: "y" });
    assert.equal(exitCodeFor(error), want);
    assert.equal(exitCodeFor(new FactoryErrors([error])), want);
  }
  assert.equal(exitCodeFor(new Error("x")), 70);
  assert.equal(exitCodeFor(undefined), 70);
});

test("every exit code but success has an error code, and the table shows them all", () => {
  const rows = renderExitCodes().split("\n").slice(2);
  assert.equal(rows.length, Object.keys(EXIT_MEANINGS).length);
  for (const row of rows) assert.match(row, /^\| 0 {9}|`[A-Z_]+`/);
});
