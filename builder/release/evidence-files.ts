// SPDX-License-Identifier: Apache-2.0
// Every file of the root image and of the base initramfs, with its digests. The initramfs is unpacked for it; the root
// image's files are those that the file system was made from.
import { createHash } from "node:crypto";
import type { InventoryImage } from "../../sbom/inventory.ts";
import { inflateZstd, zstdFrameBytes } from "../compare/bounded-zstd.ts";
import { readCpio } from "../compare/cpio-read.ts";
import { bytesImage } from "../compare/sub-image.ts";
import { roundUp } from "../layout/extent.ts";
import type { BlobRef } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { FileDigests } from "../../sbom/inventory.ts";
import type { Store } from "../host/store.ts";
import { readWholeBlob } from "../host/store.ts";
import type { Tree } from "./tree.ts";
import { treePaths } from "./tree.ts";

const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;

/** `bytes` is a file's content, or a symlink's target. */
export interface FoundFile {
  readonly image: InventoryImage;
  readonly path: string;
  readonly mode: number;
  readonly target: string | null;
  readonly bytes: Uint8Array;
}

/** The files of a tree, sorted by path, read one after another. */
export async function* treeFiles(store: Store, image: InventoryImage, tree: Tree): AsyncGenerator<FoundFile> {
  for (const path of treePaths(tree)) {
    const node = tree[path];
    if (node?.kind === "symlink")
      yield { image, path, mode: 0o777, target: node.target, bytes: Buffer.from(node.target) };
    if (node?.kind !== "file") continue;
    const bytes = await readWholeBlob(store, node.blob.digest, MAX_FILE_BYTES);
    yield { image, path, mode: node.mode, target: null, bytes };
  }
}

/**
 * The files of an initramfs of one or more zstd-packed archives. A later file replaces an earlier one, as in the kernel.
 * Throws FORMAT_INVALID for anything else but zeros: the kernel would read it, and nobody would own it.
 */
export async function initramfsFiles(store: Store, blob: BlobRef): Promise<readonly FoundFile[]> {
  const packed = bytesImage("initramfs", await readWholeBlob(store, blob.digest, MAX_FILE_BYTES));
  const found = new Map<string, FoundFile>();
  for (let at = 0; at < packed.length;) {
    const head = Buffer.from(await packed.read(at, Math.min(4, packed.length - at)));
    if (head.equals(Buffer.alloc(head.length))) {
      at += 4; // archives are padded to 4 bytes with zeros
      continue;
    }
    const length = await zstdFrameBytes(packed, at);
    const bytes = inflateZstd(await packed.read(at, length), MAX_UNPACKED_BYTES, "initramfs");
    for (const file of await archiveFiles(bytes)) found.set(file.path, file);
    at = roundUp(at + length, 4); // the next archive starts at a multiple of 4
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function archiveFiles(bytes: Uint8Array): Promise<readonly FoundFile[]> {
  const { entries } = await readCpio(bytesImage("initramfs", bytes));
  return entries
    .filter(({ kind }) => kind === "file" || kind === "symlink")
    .map(({ path, mode, target, content }) => ({
      image: "initramfs",
      path,
      mode,
      target: target ?? null,
      bytes: bytes.subarray(content.offset, content.offset + content.length),
    }));
}

export function digestsOf(bytes: Uint8Array): FileDigests {
  return { sha256: sha256(bytes), sha1: createHash("sha1").update(bytes).digest("hex"), size: bytes.length };
}
