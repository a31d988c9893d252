// SPDX-License-Identifier: Apache-2.0
// Decides at which block of an ISO 9660 image everything lies: descriptors, path tables, directories, boot catalogue,
// boot image, files in the order given, the appended image, and reserved zeros at the end.
import { FactoryError } from "../errors.ts";
import { roundUp } from "./extent.ts";
import { sizeDirectories } from "./iso9660-directory.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";
import { pathTableBytes } from "./iso9660-path-table.ts";
import { buildIsoTree } from "./iso9660-tree.ts";
import type { ErrorCode } from "../errors.ts";
import type { Layout } from "./extent.ts";
import type { IsoExtent, SizedDirectory } from "./iso9660-directory.ts";
import type { IsoDirectory } from "./iso9660-tree.ts";
import type { IsoEntry, IsoOptions } from "./iso9660.ts";

export const PRIMARY_BLOCK = 16; // after the system area of 32768 bytes
const MAX_FILE_BYTES = 0xffff_ffff;

/** Blocks are of 2048 bytes, counted from the start of the image. */
export interface IsoPlan {
  readonly directories: readonly IsoDirectory[];
  readonly sizedDirectories: readonly SizedDirectory[];
  readonly directoryBlocks: readonly number[];
  readonly pathTable: { readonly bytes: number; readonly littleBlock: number; readonly bigBlock: number };
  readonly boot: { readonly recordBlock: number; readonly catalogBlock: number } | undefined;
  readonly terminatorBlock: number;
  /** The boot image first, then the entries in their order. */
  readonly filePaths: readonly string[];
  /** Every file and directory by path; the root is "". */
  readonly extents: ReadonlyMap<string, IsoExtent>;
  /** Entries with bytes of their own. */
  readonly contents: readonly { readonly path: string; readonly block: number; readonly layout: Layout }[];
  readonly appendedBlock: number;
  readonly blocks: number;
}

/** Hands out blocks one after another. */
type TakeBlocks = (bytes: number) => number;

/** Places everything. Throws LAYOUT_INVALID and LAYOUT_OVERFLOW as `layoutIso` says. */
export function planIso(options: IsoOptions): IsoPlan {
  checkOptions(options);
  const { bios, uefi } = options.boot;
  const filePaths = [...(bios === undefined ? [] : [bios.path]), ...options.entries.map((e) => e.path)];
  let next = PRIMARY_BLOCK + 1;
  const take: TakeBlocks = (bytes) => {
    const block = next;
    next += Math.ceil(bytes / BLOCK_BYTES);
    return block;
  };
  const metadata = placeMetadata(buildIsoTree(filePaths), bios !== undefined || uefi !== undefined, take);
  const extents = directoryExtents(metadata);
  if (bios !== undefined) extents.set(bios.path, { block: take(bios.image.length), length: bios.image.length });
  const contents = placeContents(options.entries, take, extents);
  const appendedBlock = roundUp(next, options.appended.alignmentBytes / BLOCK_BYTES);
  placeSlices(options, appendedBlock, extents);
  next = appendedBlock;
  take(options.appended.content.length);
  take(options.trailingBytes);
  return {
    ...metadata,
    filePaths,
    extents,
    contents,
    appendedBlock,
    blocks: next,
  };
}

type Metadata = Pick<
  IsoPlan,
  "boot" | "terminatorBlock" | "pathTable" | "directories" | "sizedDirectories" | "directoryBlocks"
>;

function placeMetadata(directories: readonly IsoDirectory[], bootable: boolean, take: TakeBlocks): Metadata {
  const recordBlock = bootable ? take(BLOCK_BYTES) : 0;
  const terminatorBlock = take(BLOCK_BYTES);
  const bytes = pathTableBytes(directories);
  const pathTable = { bytes, littleBlock: take(bytes), bigBlock: take(bytes) };
  const sizedDirectories = sizeDirectories(directories);
  const directoryBlocks = sizedDirectories.map((d) => take(d.recordBytes + d.continuationBytes));
  const boot = bootable ? { recordBlock, catalogBlock: take(BLOCK_BYTES) } : undefined;
  return { boot, terminatorBlock, pathTable, directories, sizedDirectories, directoryBlocks };
}

function directoryExtents({ directories, sizedDirectories, directoryBlocks }: Metadata): Map<string, IsoExtent> {
  return new Map(
    directories.map(({ path }, i) => {
      return [path, { block: directoryBlocks[i] ?? 0, length: sizedDirectories[i]?.recordBytes ?? 0 }];
    }),
  );
}

function placeContents(
  entries: readonly IsoEntry[],
  take: TakeBlocks,
  extents: Map<string, IsoExtent>,
): IsoPlan["contents"] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "file") return [];
    const { length } = entry.content;
    const block = length === 0 ? 0 : take(length);
    extents.set(entry.path, { block, length });
    return [{ path: entry.path, block, layout: entry.content }];
  });
}

function placeSlices({ entries }: IsoOptions, appendedBlock: number, extents: Map<string, IsoExtent>): void {
  for (const entry of entries) {
    if (entry.kind !== "slice") continue;
    const block = entry.length === 0 ? 0 : appendedBlock + entry.offset / BLOCK_BYTES;
    extents.set(entry.path, { block, length: entry.length });
  }
}

function checkOptions({ volumeId, epochSeconds, entries, appended, trailingBytes }: IsoOptions): void {
  if (volumeId === "") throw refuse("LAYOUT_INVALID", "volume id", volumeId, "1 to 32 of A-Z 0-9 _");
  if (epochSeconds < 0) throw refuse("LAYOUT_OVERFLOW", "epochSeconds", epochSeconds, "seconds since 1970");
  const { alignmentBytes: alignment } = appended;
  if (!isBlocks(alignment) || alignment === 0) {
    throw refuse("LAYOUT_INVALID", "alignmentBytes", alignment, `a positive multiple of ${BLOCK_BYTES}`);
  }
  if (!Number.isSafeInteger(trailingBytes) || trailingBytes < 0) {
    throw refuse("LAYOUT_INVALID", "trailingBytes", trailingBytes, "a whole number of bytes");
  }
  for (const entry of entries) checkEntry(entry, appended.content.length);
}

function checkEntry(entry: IsoEntry, appendedBytes: number): void {
  const length = entry.kind === "file" ? entry.content.length : entry.length;
  if (length > MAX_FILE_BYTES) throw refuse("LAYOUT_OVERFLOW", entry.path, length, `at most ${MAX_FILE_BYTES} bytes`);
  if (entry.kind === "file") return;
  if (!isBlocks(entry.offset)) {
    throw refuse("LAYOUT_INVALID", entry.path, entry.offset, `an offset that is a multiple of ${BLOCK_BYTES} bytes`);
  }
  const whole = Number.isSafeInteger(length) && length >= 0;
  if (whole && entry.offset + length <= appendedBytes) return;
  const expected = `a slice within the ${appendedBytes} bytes of the appended image`;
  throw refuse("LAYOUT_INVALID", entry.path, entry.offset + length, expected);
}

function isBlocks(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 0 && bytes % BLOCK_BYTES === 0;
}

function refuse(code: ErrorCode, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code, field: `ISO 9660 ${field}`, found, expected, fix: "correct it" });
}
