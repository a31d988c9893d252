// SPDX-License-Identifier: Apache-2.0
// Names the field that a byte of an artifact lies in, from the outside in:
// partition EFI > FAT file EFI/Linux/x.efi > PE section .initrd > zstd frame 1 > initramfs entry init > byte 123.
import type { ReadableImage } from "../layout/read-at.ts";
import { isMalformed } from "./malformed.ts";
import { openSpace } from "./open-space.ts";
import type { Piece, Space } from "./space.ts";
import { offsetInRuns } from "./sub-image.ts";

export interface Held {
  readonly piece: Piece;
  /** Within the piece, in bytes. */
  readonly offset: number;
}

/** The path of fields to byte `offset`. Inside compressed data it names the first byte that can change with it. */
export async function locate(artifact: ReadableImage, offset: number): Promise<readonly string[]> {
  return locateIn(await openSpace(artifact), offset);
}

export async function locateIn(space: Space, offset: number): Promise<readonly string[]> {
  if (offset >= space.image.length) return [`padding byte ${offset - space.image.length}`];
  const held = findPiece(space, offset);
  if (held === undefined) return [space.pieces.length === 0 ? `byte ${offset}` : `unused byte ${offset}`];
  const { piece } = held;
  return [piece.name, ...(await locateInPiece(held))];
}

/** The same from a piece on, without its name. */
export async function locateInPiece({ piece, offset }: Held): Promise<readonly string[]> {
  if (piece.leaf !== undefined) return [await piece.leaf(offset)];
  if (piece.inner !== undefined) return locateIn(await piece.inner(), offset);
  if (piece.expand === undefined) return [`byte ${offset}`];
  try {
    const { space, position } = await piece.expand();
    const at = await position(offset);
    return await locateIn(space, Math.min(at, Math.max(0, space.image.length - 1)));
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return [`packed byte ${offset} (it does not unpack)`];
  }
}

/** The first piece that holds the byte. */
export function findPiece(space: Space, offset: number): Held | undefined {
  for (const piece of space.pieces) {
    const within = offsetInRuns(piece.runs, offset);
    if (within !== undefined) return { piece, offset: within };
  }
  return undefined;
}
