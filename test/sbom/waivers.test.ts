// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FactoryErrors } from "../../builder/errors.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { InventoryFile } from "../../sbom/inventory.ts";
import { applyWaivers, parseWaivers } from "../../sbom/waivers.ts";

function file(path: string, owner: string): InventoryFile {
  return { image: "root", path, mode: 0o644, target: null, owner, sha256: sha256(path), sha1: "", size: 1 };
}

const waiver = { path: "root:etc/odd", reason: "made by hand" };

test("the shipped list is valid and empty", () => {
  assert.deepEqual(parseWaivers(readFileSync(new URL("../../sbom/waivers.yaml", import.meta.url), "utf8")), []);
});

test("a waiver lets its unowned file pass", () => {
  assert.deepEqual(applyWaivers([file("etc/odd", ""), file("sbin/init", "init")], [waiver]), [waiver]);
});

test("an unowned file without a waiver stops the build", () => {
  assert.throws(() => applyWaivers([file("etc/odd", "")], []), { code: "RELEASE_INVALID" });
});

test("a waiver that nothing needs stops the build", () => {
  assert.throws(() => applyWaivers([file("etc/odd", "someone")], [waiver]), { code: "RELEASE_INVALID" });
});

test("all problems are reported together", () => {
  const files = [file("etc/one", ""), file("etc/two", "")];
  assert.throws(
    () => applyWaivers(files, [waiver]),
    (error) => error instanceof FactoryErrors && error.problems.length === 3,
  );
});

for (const [name, text] of [
  ["not YAML", "waivers: ["],
  ["no list", "waivers: {}"],
  ["another key", "waivers: []\nmore: 1"],
  ["no reason", "waivers: [{path: 'root:etc/x'}]"],
  ["an empty reason", "waivers: [{path: 'root:etc/x', reason: ' '}]"],
  ["an absolute path", "waivers: [{path: 'root:/etc/x', reason: r}]"],
  ["an unknown image", "waivers: [{path: 'esp:etc/x', reason: r}]"],
] as const)
  test(`a waiver file is refused: ${name}`, () => {
    assert.throws(() => parseWaivers(text), { code: "RELEASE_INVALID" });
  });
