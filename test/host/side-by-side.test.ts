// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { sideBySide } from "../../builder/host/side-by-side.ts";

const ITEMS = Array.from({ length: 10 }, (_, i) => i);

test("sideBySide does every item, at most so many at once, in order", async () => {
  const begun: number[] = [];
  let [running, most] = [0, 0];
  await sideBySide(ITEMS, 3, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await tick();
    running--;
  });
  assert.deepEqual([begun, most], [ITEMS, 3]);
});

test("sideBySide throws the first error after all that had begun ended, and begins no more", async () => {
  const ended: string[] = [];
  const work = async (item: number, signal: AbortSignal): Promise<void> => {
    if (item === 1) throw new Error("the second failed");
    while (!signal.aborted) await tick();
    ended.push(`${item} saw the end`);
    throw new Error("a consequence");
  };
  await assert.rejects(sideBySide(ITEMS, 3, work), /the second failed/);
  assert.deepEqual(ended.sort(), ["0 saw the end", "2 saw the end"]);
});

test("sideBySide passes an abort on", async () => {
  const stop = new AbortController();
  const work = async (_item: number, signal: AbortSignal): Promise<void> => {
    stop.abort(new Error("Ctrl-C"));
    signal.throwIfAborted();
  };
  await assert.rejects(sideBySide(ITEMS, 2, work, stop.signal), /Ctrl-C/);
});
