// SPDX-License-Identifier: Apache-2.0
// Takes a FAT volume out of an image, by exactly the bytes of its partition, and reads it with mtools.
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { judge } from "./judge.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Copies [offset, offset + length) of a file to `target`, zeros as holes. Returns `target`. */
export function extractRange(path: string, offset: number, length: number, target: string): string {
  const [from, to] = [openSync(path, "r"), openSync(target, "w")];
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const wanted = Math.min(CHUNK_BYTES, length - at);
    assert.equal(readSync(from, chunk, 0, wanted, offset + at), wanted, `${path} ends within the range`);
    if (!chunk.equals(zeros)) writeSync(to, chunk, 0, wanted, at);
  }
  ftruncateSync(to, length);
  closeSync(from);
  closeSync(to);
  return target;
}

/** Paths of the files in a volume, sorted. */
export async function listFat(volume: string): Promise<readonly string[]> {
  const result = await (await judge())(["mdir", "-i", volume, "-/", "-b", "::"], [dirname(volume)]);
  assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
  const lines = result.stdout.trim().split("\n");
  return lines.flatMap((line) => (line.endsWith("/") ? [] : [line.replace(/^::\//, "")])).sort();
}

/** Bytes of one file of a volume, copied out by mcopy to `target`. */
export async function copyFromFat(volume: string, path: string, target: string): Promise<void> {
  const result = await (await judge())(["mcopy", "-n", "-i", volume, `::${path}`, target], [dirname(volume)]);
  assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
}
