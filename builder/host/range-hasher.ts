// SPDX-License-Identifier: Apache-2.0
// Hashes an open file by ranges, in order, and its holes without reading them.
import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { CHUNK_BYTES, zeroChunks } from "../encode/read-layout.ts";
import { bug } from "../errors.ts";

/** The next bytes of the file: `length` bytes to be read at `offset`, or `length` zeros. */
export type FileRange =
  | { readonly kind: "data"; readonly offset: number; readonly length: number }
  | { readonly kind: "zeros"; readonly length: number };

export interface RangeHasher {
  update(range: FileRange): void;
  /** SHA-256 in lower-case hexadecimal; once, at the end. */
  digest(): string;
}

/** Blocks its thread while it reads and hashes. */
export function createRangeHasher(fd: number): RangeHasher {
  const sha256 = createHash("sha256");
  const buffer = new Uint8Array(CHUNK_BYTES);
  const updateData = (offset: number, length: number): void => {
    for (let done = 0; done < length;) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, length - done), offset + done);
      if (read === 0) throw bug(`file ends at ${offset + done} while it is hashed`);
      sha256.update(read === buffer.length ? buffer : buffer.subarray(0, read));
      done += read;
    }
  };
  return {
    update(range) {
      if (range.kind === "data") updateData(range.offset, range.length);
      else for (const zeros of zeroChunks(range.length)) sha256.update(zeros);
    },
    digest: () => sha256.digest("hex"),
  };
}
