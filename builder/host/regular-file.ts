// SPDX-License-Identifier: Apache-2.0
// Opens files that somebody else chose: regular ones only, so that a pipe or device cannot hold us up.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { FactoryError } from "../errors.ts";

/** Open for the time that `use` runs; `size` in bytes. Throws USAGE when there is no such file, or when it is none. */
export async function withRegularFile<T>(
  path: string,
  use: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  const found = await withFileIfPresent(path, async (handle, size) => ({ value: await use(handle, size) }));
  if (found !== undefined) return found.value;
  throw unreadable(path, "no such file");
}

/** The same; undefined when there is no such file. */
export async function withFileIfPresent<T>(
  path: string,
  use: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T | undefined> {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw unreadable(path, error.code ?? error.message, error);
  });
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw unreadable(path, "no regular file");
    return await use(handle, stats.size);
  } finally {
    await handle.close();
  }
}

function unreadable(file: string, found: string, cause?: unknown): FactoryError {
  const expected = "a regular file that can be read";
  return new FactoryError({ code: "USAGE", file, field: "file", found, expected, fix: "correct the path", cause });
}
