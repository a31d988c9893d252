// SPDX-License-Identifier: Apache-2.0
// A file as an image for the decoders: random access, nothing kept in memory. Reading a hole costs no disk.
import { open } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import type { ReadableImage } from "../layout/read-at.ts";

/** Opens `path` for the time that `use` runs. Throws USAGE when it is no readable regular file. */
export async function withReadableFile<T>(path: string, use: (image: ReadableImage) => Promise<T>): Promise<T> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw unreadable(path, (cause as NodeJS.ErrnoException).code ?? "unreadable", cause);
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw unreadable(path, "no regular file");
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const buffer = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) break; // shorter than it was: the decoders notice
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    };
    return await use({ name: path, length: found.size, read });
  } finally {
    await handle.close();
  }
}

function unreadable(path: string, found: string, cause?: unknown): FactoryError {
  return new FactoryError({
    code: "USAGE",
    file: path,
    found,
    expected: "a file that can be read",
    fix: "correct the path",
    cause,
  });
}
