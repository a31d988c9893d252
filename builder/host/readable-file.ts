// SPDX-License-Identifier: Apache-2.0
// A file as an image for the decoders: random access, nothing kept in memory. Reading a hole costs no disk.
import type { ReadableImage } from "../layout/read-at.ts";
import { withRegularFile } from "./regular-file.ts";

/** Opens `path` for the time that `use` runs. Throws USAGE when it is no readable regular file. */
export function withReadableFile<T>(path: string, use: (image: ReadableImage) => Promise<T>): Promise<T> {
  return withRegularFile(path, (handle, size) => {
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
    return use({ name: path, length: size, read });
  });
}
