// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withBuildFolder } from "../../builder/release/build-folder.ts";
import { temporaryStore } from "../host/temp-store.ts";

const leave = (mark: string) => async (dir: string) => {
  writeFileSync(join(dir, mark), "");
  return readdirSync(dir).sort();
};

test("what a compile leaves in its folder is there for the next", async () => {
  const store = await temporaryStore();
  assert.deepEqual(await withBuildFolder(store, "x", leave("first")), ["first"]);
  assert.deepEqual(await withBuildFolder(store, "x", leave("second")), ["first", "second"]);
  assert.deepEqual(readdirSync(join(store.dir, "tmp")), []);
});

test("what an interrupted compile leaves is there for the next", async () => {
  const store = await temporaryStore();
  const interrupted = withBuildFolder(store, "x", async (dir) => {
    writeFileSync(join(dir, "half"), "");
    throw new Error("interrupted");
  });
  await assert.rejects(interrupted, /interrupted/);
  assert.deepEqual(await withBuildFolder(store, "x", leave("next")), ["half", "next"]);
});

test("two compiles at once do not share a folder, and one folder stays", async () => {
  const store = await temporaryStore();
  await withBuildFolder(store, "x", leave("before"));
  const seen = await withBuildFolder(store, "x", async (first) => {
    const inner = await withBuildFolder(store, "x", async (second) => {
      assert.notEqual(first, second);
      return leave("inner")(second);
    });
    return [readdirSync(first), inner];
  });
  assert.deepEqual(seen, [["before"], ["inner"]]);
  assert.ok(existsSync(join(store.dir, "cache", "x", "inner")));
  assert.deepEqual(readdirSync(join(store.dir, "tmp")), []);
});
