// SPDX-License-Identifier: Apache-2.0
// A space is an image seen as its parts: pieces, to name the field that a byte belongs to, and a listing, to compare
// contents. A piece may hold a space of its own (a partition, a section) or stand for other bytes (compressed data).
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import type { EntryKind } from "./cpio-read.ts";

export interface Space {
  readonly image: ReadableImage;
  readonly format: SpaceFormat;
  /** The first piece that holds a byte names it. */
  readonly pieces: readonly Piece[];
  /** Files, sections, partitions. */
  readonly listing: readonly Listed[];
  /** Identifiers and the like that are worth comparing by name. */
  readonly values: Readonly<Record<string, string>>;
}

export type SpaceFormat = "disk" | "iso" | "fat" | "pe" | "initramfs" | "root" | "opaque";

export interface Piece {
  readonly name: string;
  /** Its bytes within the space, in order. */
  readonly runs: readonly ByteRange[];
  /** The same bytes, as a space. */
  readonly inner?: () => Promise<Space>;
  /** The bytes that these stand for. */
  readonly expand?: () => Promise<Expansion>;
  /** Names byte `offset` of the piece; `byte N` without it. */
  readonly leaf?: (offset: number) => string | Promise<string>;
}

export interface Expansion {
  readonly space: Space;
  /** The first unpacked byte that byte `offset` of the packed ones can change. */
  readonly position: (offset: number) => number | Promise<number>;
}

export interface Listed {
  /** Empty when what it holds belongs to the level of the listing itself, as a compressed archive's files do. */
  readonly path: string;
  readonly kind: EntryKind | "partition" | "section";
  readonly size: number;
  /** Permission bits. */
  readonly mode?: number;
  readonly owner?: string;
  readonly target?: string;
  readonly device?: string;
  readonly content?: ReadableImage;
  readonly inner?: () => Promise<Space>;
}

/** Unpacked bytes that may still be kept in memory; shared by everything in one artifact. */
export interface UnpackBudget {
  left: number;
}

/** Opens an image as whatever its bytes say it is. Never throws FORMAT_INVALID: what cannot be read is opaque. */
export type OpenSpace = (image: ReadableImage) => Promise<Space>;

export type FieldTable = readonly (readonly [name: string, offset: number, length: number])[];

/** A leaf function from a table of fields; `byte N` where the table is silent. */
export function leafOf(fields: FieldTable): (offset: number) => string {
  return (offset) => {
    const field = fields.find(([, at, length]) => offset >= at && offset < at + length);
    return field === undefined ? `byte ${offset}` : field[0];
  };
}

/** Runs `make` at most once. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

export function opaque(image: ReadableImage, values: Space["values"] = {}): Space {
  return { image, format: "opaque", pieces: [], listing: [], values };
}
