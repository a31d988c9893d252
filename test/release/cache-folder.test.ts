// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ActionContext } from "../../builder/release/action.ts";
import { cacheFolder } from "../../builder/release/cache-folder.ts";
import { temporaryStore } from "../host/temp-store.ts";

const store = await temporaryStore();

/** What is told of the steps: name, whether it was there, whether it failed. */
function recorder(): { context: ActionContext; told: unknown[] } {
  const told: unknown[] = [];
  const onAction: ActionContext["onAction"] = (name, cached) => (error) => {
    told.push([name, cached, error !== undefined]);
  };
  return { context: { store, signal: undefined, onAction }, told };
}

async function filled(dir: string): Promise<string> {
  mkdirSync(join(dir, "tree"));
  writeFileSync(join(dir, "tree", "file"), "content");
  return join(dir, "tree");
}

test("a cache folder is made once", async () => {
  const { context, told } = recorder();
  const folder = { name: "made-once", shown: "things", make: filled };
  const path = await cacheFolder(context, folder);
  assert.equal(readFileSync(join(path, "file"), "utf8"), "content");
  const again = { ...folder, make: () => Promise.reject(new Error("made again")) };
  assert.equal(await cacheFolder(context, again), path);
  assert.deepEqual(told, [
    ["things", false, false],
    ["things", true, false],
  ]);
});

test("a cache folder that cannot be made leaves nothing behind", async () => {
  const { context, told } = recorder();
  const make = async (dir: string): Promise<string> => {
    await filled(dir);
    throw new Error("half way");
  };
  await assert.rejects(cacheFolder(context, { name: "never-made", shown: "things", make }), /half way/);
  assert.deepEqual(told, [["things", false, true]]);
  assert.equal(readdirSync(join(store.dir, "cache")).includes("never-made"), false);
  assert.deepEqual(readdirSync(join(store.dir, "tmp")), []);
});

test("two makers of one cache folder both get it", async () => {
  const { context } = recorder();
  const folder = { name: "made-twice", shown: "things", make: filled };
  const [a, b] = await Promise.all([cacheFolder(context, folder), cacheFolder(context, folder)]);
  assert.equal(a, b);
  assert.deepEqual(readdirSync(a), ["file"]);
});
