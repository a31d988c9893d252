// SPDX-License-Identifier: Apache-2.0
// Damages an image in place: a flipped bit, or a text of the same length.
import assert from "node:assert/strict";
import { closeSync, openSync, readSync, writeSync } from "node:fs";

/** Flips the lowest bit of one byte, or the bits of `mask`. */
export function flipBits(path: string, offset: number, mask: number = 1): void {
  const fd = openSync(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    assert.equal(readSync(fd, byte, 0, 1, offset), 1, `${path} ends before ${offset}`);
    byte[0] = (byte[0] ?? 0) ^ mask;
    writeSync(fd, byte, 0, 1, offset);
  } finally {
    closeSync(fd);
  }
}

/** Replaces the one occurrence of `from` among the bytes [offset, offset + length). */
export function replaceBytes(path: string, range: { offset: number; length: number }, from: Buffer, to: Buffer): void {
  assert.equal(from.length, to.length);
  const bytes = readRange(path, range.offset, range.length);
  const at = bytes.indexOf(from);
  assert.ok(at >= 0, `${path} does not hold ${from.toString("hex")}`);
  assert.equal(bytes.indexOf(from, at + 1), -1, "more than one occurrence");
  const fd = openSync(path, "r+");
  writeSync(fd, to, 0, to.length, range.offset + at);
  closeSync(fd);
}

export function readRange(path: string, offset: number, length: number): Buffer {
  const fd = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  const read = readSync(fd, bytes, 0, length, offset);
  closeSync(fd);
  return bytes.subarray(0, read);
}
