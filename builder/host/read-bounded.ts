// SPDX-License-Identifier: Apache-2.0
// Reads small files that somebody else chose: regular ones only, so that a pipe or device cannot hold us up, and never
// more than the caller can use.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { FactoryError } from "../errors.ts";

/** Throws USAGE when there is no such file, when it is none, or when it is longer than `maxBytes`. */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const bytes = await readIfPresent(path, maxBytes);
  if (bytes !== undefined) return bytes;
  throw refuse(path, "no such file", "a file that can be read");
}

/** The same; undefined when there is no such file. */
export async function readIfPresent(path: string, maxBytes: number): Promise<Buffer | undefined> {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw refuse(path, error.code ?? error.message, "a file that can be read");
  });
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat().then((stats) => {
      if (!stats.isFile()) throw refuse(path, "no regular file", "a regular file");
      return stats;
    });
    if (size > maxBytes) throw refuse(path, `${size} bytes`, `at most ${maxBytes} bytes`);
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await handle.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function refuse(file: string, found: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, field: "file", found, expected, fix: "name another file" });
}
