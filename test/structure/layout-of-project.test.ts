// SPDX-License-Identifier: Apache-2.0
// What the tree must look like: few things at the top, small files, names that say something, nothing of this machine.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, trackedFiles } from "./tracked-files.ts";

const TOP = new Set([
  "LICENSE",
  "README.md",
  "builder",
  "extensions",
  "kernel-config",
  "package-lock.json",
  "package.json",
  "profiles",
  "sbom",
  "test",
  "tsconfig.json",
  "userland",
]);
const MAX_LINES = 400;
const EMPTY_NAMES = /(^|\/)(utils?|helpers?|common|shared|misc)(\.|\/|$)/;

const files = trackedFiles();
const code = files.filter((f) => /\.(ts|go|mjs|sh)$/.test(f));

test("the top level holds what the README says", () => {
  const extra = [...new Set(files.map((f) => f.split("/")[0] ?? ""))].filter((n) => !TOP.has(n) && !n.startsWith("."));
  assert.deepEqual(extra, []);
});

test("no file of code is over 400 lines", () => {
  assert.ok(code.length > 100, "the list of code files is empty");
  const long = code.filter((f) => readFileSync(join(ROOT, f), "utf8").split("\n").length > MAX_LINES);
  assert.deepEqual(long, []);
});

test("names say what is inside", () => {
  assert.deepEqual(
    code.filter((f) => EMPTY_NAMES.test(f)),
    [],
  );
});

test("code says under which licence it is", () => {
  const bare = code.filter(
    (f) => !readFileSync(join(ROOT, f), "utf8").slice(0, 200).includes("SPDX-License-Identifier"),
  );
  assert.deepEqual(bare, []);
});
