// SPDX-License-Identifier: Apache-2.0
// Lays out an ISO 9660 volume with Rock Ridge names and El Torito boot entries around the files it holds, and an image
// (the EFI system partition) after them. An entry may be a slice of that image, so that BIOS, which reads ISO 9660, and
// UEFI, which reads FAT, share the same bytes. Equal options give equal bytes.
// Spec: ECMA-119; RRIP 1.10; "El Torito" 1.0. Left out: Joliet, links, files of 4 GiB and more, empty directories.
import { FactoryError } from "../errors.ts";
import { encodeBootCatalog, encodeBootRecord, patchBootImage, uefiSectorCount } from "./el-torito.ts";
import { bytesLayout, concatLayouts, placeLayouts, sliceLayout } from "./extent.ts";
import { encodePrimaryDescriptor, encodeTerminator } from "./iso9660-descriptors.ts";
import { encodeDirectory } from "./iso9660-directory.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";
import { encodePathTable } from "./iso9660-path-table.ts";
import { planIso, PRIMARY_BLOCK } from "./iso9660-plan.ts";
import type { Layout, Placement } from "./extent.ts";
import type { IsoExtent } from "./iso9660-directory.ts";
import type { IsoPlan } from "./iso9660-plan.ts";
import type { ByteRange } from "./read-at.ts";

export const SYSTEM_AREA_BYTES = 32_768;

/** A file with bytes of its own, or one that is a part of the appended image. `path` has slashes and no leading one. */
export type IsoEntry =
  | { readonly kind: "file"; readonly path: string; readonly content: Layout }
  /** `offset` is from the start of the appended image, a multiple of 2048; `length` in bytes. */
  | { readonly kind: "slice"; readonly path: string; readonly offset: number; readonly length: number };

/** A BIOS boot image; it becomes a file at `path`, before all entries. */
export interface IsoBiosBoot {
  readonly path: string;
  /** Copied; bytes 8..63 are overwritten with the boot information table. */
  readonly image: Uint8Array;
  /** Sectors of 512 bytes that the BIOS loads: 4 for GRUB, which loads the rest itself. */
  readonly loadSectors: number;
  /** Also patch the image so that GRUB's hybrid MBR can start it from a disk or stick. */
  readonly grubDiskBoot: boolean;
}

export interface IsoOptions {
  /** A-Z 0-9 _, 1 to 32. */
  readonly volumeId: string;
  /** Upper-case text of ECMA-119 a-characters, at most 128; may be empty. */
  readonly publisherId: string;
  /** The same. */
  readonly applicationId: string;
  /** Every timestamp, in seconds since 1970 (UTC); from 1970 to 2155. */
  readonly epochSeconds: number;
  /** Data is placed in this order. */
  readonly entries: readonly IsoEntry[];
  /** Placed after everything else at a multiple of `alignmentBytes`, itself a multiple of 2048. */
  readonly appended: { readonly content: Layout; readonly alignmentBytes: number };
  readonly boot: { readonly bios?: IsoBiosBoot | undefined; readonly uefi?: "appended" | undefined };
  /** Zeros kept at the end, for a backup GPT; rounded up to whole blocks. */
  readonly trailingBytes: number;
}

export interface IsoVolume {
  /** A multiple of 2048 bytes. The first 32768 and the trailing ones are zeros. */
  readonly layout: Layout;
  readonly appendedOffset: number;
  /** Where each entry's bytes are, the BIOS boot image included; `offset` is 0 when `length` is. */
  readonly files: ReadonlyMap<string, ByteRange>;
  readonly eltoritoBios: ByteRange | undefined;
}

/**
 * Describes the image. Throws LAYOUT_INVALID for paths, ids, slices and boot images that the format cannot have, and
 * LAYOUT_OVERFLOW for a file of 4 GiB or more and for an epoch outside 1970 to 2155.
 */
export function layoutIso(options: IsoOptions): IsoVolume {
  const plan = planIso(options);
  const { content } = options.appended;
  const placements: readonly Placement[] = [
    ...metadata(options, plan).map(([what, block, bytes]) => ({
      what,
      offset: blockOffset(block),
      layout: bytesLayout(bytes),
    })),
    ...plan.contents.map((c) => ({ what: c.path, offset: blockOffset(c.block), layout: c.layout })),
    { what: "the appended image", offset: blockOffset(plan.appendedBlock), layout: content },
  ];
  const ranges = plan.filePaths.map((path) => [path, rangeOf(plan.extents.get(path))] as const);
  const biosPath = options.boot.bios?.path;
  return {
    layout: placeLayouts(blockOffset(plan.blocks), placements),
    appendedOffset: blockOffset(plan.appendedBlock),
    files: new Map(ranges),
    eltoritoBios: biosPath === undefined ? undefined : rangeOf(plan.extents.get(biosPath)),
  };
}

/** The image with `bytes` (MBR and primary GPT) over its first bytes. Throws LAYOUT_OVERFLOW above 32768 of them. */
export function overlaySystemArea(layout: Layout, bytes: Uint8Array): Layout {
  if (bytes.length > SYSTEM_AREA_BYTES) throw tooLong("system area", bytes.length, SYSTEM_AREA_BYTES);
  return concatLayouts([bytesLayout(bytes), sliceLayout(layout, bytes.length, layout.length)]);
}

/** The image with `bytes` (the backup GPT) over its last bytes. Throws LAYOUT_OVERFLOW when they are not all zeros. */
export function overlayTrailer(layout: Layout, bytes: Uint8Array): Layout {
  const last = layout.extents.at(-1);
  const zeros = last?.source.kind === "zeros" ? last.length : 0;
  if (bytes.length > zeros) throw tooLong("trailing bytes", bytes.length, zeros);
  return concatLayouts([sliceLayout(layout, 0, layout.length - bytes.length), bytesLayout(bytes)]);
}

type Piece = readonly [what: string, block: number, bytes: Uint8Array];

function metadata(options: IsoOptions, plan: IsoPlan): readonly Piece[] {
  const { directories, directoryBlocks: blocks, pathTable } = plan;
  return [
    ["primary volume descriptor", PRIMARY_BLOCK, primaryDescriptor(options, plan)],
    ...bootPieces(options, plan),
    ["volume descriptor set terminator", plan.terminatorBlock, encodeTerminator()],
    ["path table L", pathTable.littleBlock, encodePathTable(directories, blocks, "le")],
    ["path table M", pathTable.bigBlock, encodePathTable(directories, blocks, "be")],
    ...plan.sizedDirectories.map((directory, i): Piece => {
      const block = blocks[i] ?? 0;
      return [`directory ${i}`, block, encodeDirectory(directory, block, plan.extents, options.epochSeconds)];
    }),
  ];
}

function primaryDescriptor(options: IsoOptions, plan: IsoPlan): Uint8Array {
  const { volumeId, publisherId, applicationId, epochSeconds } = options;
  const root = plan.extents.get("") ?? { block: 0, length: 0 };
  const { blocks, pathTable } = plan;
  return encodePrimaryDescriptor({ volumeId, publisherId, applicationId, epochSeconds, blocks, pathTable, root });
}

function bootPieces({ boot, appended }: IsoOptions, plan: IsoPlan): readonly Piece[] {
  if (plan.boot === undefined) return [];
  const { recordBlock, catalogBlock } = plan.boot;
  const biosBlock = plan.extents.get(boot.bios?.path ?? "")?.block ?? 0;
  const bios = boot.bios && { block: biosBlock, sectors: boot.bios.loadSectors };
  const uefi = boot.uefi && { block: plan.appendedBlock, sectors: uefiSectorCount(appended.content.length) };
  const pieces: Piece[] = [
    ["El Torito boot record", recordBlock, encodeBootRecord(catalogBlock)],
    ["El Torito boot catalogue", catalogBlock, encodeBootCatalog({ bios, uefi })],
  ];
  if (boot.bios === undefined) return pieces;
  const { image, grubDiskBoot } = boot.bios;
  const info = { primaryDescriptorBlock: PRIMARY_BLOCK, imageBlock: biosBlock, grubDiskBoot };
  return [...pieces, ["BIOS boot image", biosBlock, patchBootImage(image, info)]];
}

function rangeOf(extent: IsoExtent | undefined): ByteRange {
  if (extent === undefined || extent.length === 0) return { offset: 0, length: 0 };
  return { offset: extent.block * BLOCK_BYTES, length: extent.length };
}

function blockOffset(block: number): number {
  return block * BLOCK_BYTES;
}

function tooLong(field: string, found: number, most: number): FactoryError {
  const expected = `at most ${most} bytes`;
  return new FactoryError({ code: "LAYOUT_OVERFLOW", field: `ISO 9660 ${field}`, found, expected, fix: "shorten it" });
}
