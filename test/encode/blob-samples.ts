// SPDX-License-Identifier: Apache-2.0
// Blobs in memory, for tests of what reads layouts.
import type { BlobSource } from "../../builder/encode/read-layout.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { blobLayout } from "../../builder/layout/extent.ts";

/** A source of two blobs, in chunks of 60000 bytes; `onRead` learns what was asked for. */
export function mapSource(
  first: Uint8Array,
  second: Uint8Array,
  onRead: (offset: number, length: number) => void = () => undefined,
): BlobSource & { readonly layouts: readonly [Layout, Layout] } {
  const blobs = new Map([first, second].map((bytes) => [sha256(bytes), bytes]));
  const layoutOf = (bytes: Uint8Array): Layout => blobLayout({ digest: sha256(bytes), size: bytes.length });
  return {
    layouts: [layoutOf(first), layoutOf(second)],
    async *read(digest, offset, length) {
      onRead(offset, length);
      const bytes = blobs.get(digest)?.subarray(offset, offset + length) ?? new Uint8Array();
      for (let at = 0; at < bytes.length; at += 60_000) yield bytes.subarray(at, at + 60_000);
    },
  };
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(chunks));
}
