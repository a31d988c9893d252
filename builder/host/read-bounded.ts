// SPDX-License-Identifier: Apache-2.0
// Reads small files that somebody else chose, and never more than the caller can use.
import type { FileHandle } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import { withFileIfPresent, withRegularFile } from "./regular-file.ts";

/** Throws USAGE when there is no such file, when it is none, or when it is longer than `maxBytes`. */
export function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  return withRegularFile(path, (handle, size) => read(path, handle, size, maxBytes));
}

/** The same; undefined when there is no such file. */
export function readIfPresent(path: string, maxBytes: number): Promise<Buffer | undefined> {
  return withFileIfPresent(path, (handle, size) => read(path, handle, size, maxBytes));
}

async function read(file: string, handle: FileHandle, size: number, maxBytes: number): Promise<Buffer> {
  if (size > maxBytes) {
    const [found, expected] = [`${size} bytes`, `at most ${maxBytes} bytes`];
    throw new FactoryError({ code: "USAGE", file, field: "file", found, expected, fix: "name another file" });
  }
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(size), 0, size, 0);
  return buffer.subarray(0, bytesRead);
}
