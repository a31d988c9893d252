// SPDX-License-Identifier: Apache-2.0
// Encodes what makes an ISO 9660 volume bootable: boot record, boot catalogue, and the table of addresses that a BIOS
// boot image finds in itself.
// Spec: "El Torito" Bootable CD-ROM Format 1.0; UEFI 2.10 section 13.3.2.1 (platform 0xEF); boot information table as
// in mkisofs(8). Left out: floppy and hard-disk emulation.
import { FactoryError } from "../errors.ts";
import { asciiBytes, putFields, viewOf } from "./bytes.ts";
import { DESCRIPTOR_TYPE, encodeDescriptor } from "./iso9660-descriptors.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";

export const EL_TORITO_ID = "EL TORITO SPECIFICATION";
export const CATALOG_POINTER = 71;
export const CATALOG_ENTRY_BYTES = 32;
export const PLATFORM = { x86: 0x00, uefi: 0xef } as const;
export const BOOTABLE = 0x88;
export const FINAL_SECTION_HEADER = 0x91;
const VIRTUAL_SECTOR_BYTES = 512;
const MAX_SECTOR_COUNT = 0xffff;
const INFO_TABLE_END = 64; // the table is bytes 8..63; its checksum covers what follows
const GRUB_BLOCK_LIST = 2548; // boot.S puts the block list of a disk image at byte 500, here after the CD boot sector
const GRUB_SECTORS_BEFORE_KERNEL = 5; // CD boot sector (4 of 512 bytes) and disk boot sector

/** What firmware loads: an image at a block of 2048 bytes, of which it reads `sectors` of 512 bytes. */
export interface BootImage {
  readonly block: number;
  readonly sectors: number;
}

/** The first image that is there is the default entry, the other one a section of its own. */
export interface BootImages {
  readonly bios?: BootImage | undefined;
  readonly uefi?: BootImage | undefined;
}

/** The volume descriptor that points to the catalogue. */
export function encodeBootRecord(catalogBlock: number): Uint8Array {
  const out = encodeDescriptor(DESCRIPTOR_TYPE.boot);
  out.set(asciiBytes(EL_TORITO_ID), 7); //                                    7..38  filled with NULs
  putFields(out, "El Torito boot record", [["catalogue block", CATALOG_POINTER, "u32le", catalogBlock]]); // 71..74
  return out;
}

/** The boot catalogue, one block. Throws LAYOUT_INVALID without any image. */
export function encodeBootCatalog({ bios, uefi }: BootImages): Uint8Array {
  const out = new Uint8Array(BLOCK_BYTES);
  const first = bios ?? uefi;
  if (first === undefined) throw invalid("boot images", 0, "a BIOS image, a UEFI image, or both", "name one");
  out.set(encodeValidation(bios === undefined ? PLATFORM.uefi : PLATFORM.x86), 0);
  out.set(encodeImageEntry(first), CATALOG_ENTRY_BYTES);
  if (bios !== undefined && uefi !== undefined) {
    putFields(out.subarray(2 * CATALOG_ENTRY_BYTES), "El Torito section header", [
      ["indicator", 0, "u8", FINAL_SECTION_HEADER], //     0
      ["platform", 1, "u8", PLATFORM.uefi], //             1
      ["entries", 2, "u16le", 1], //                       2..3
    ]);
    out.set(encodeImageEntry(uefi), 3 * CATALOG_ENTRY_BYTES);
  }
  return out;
}

/**
 * The sector count of a UEFI image of `length` bytes. Above 65535 sectors it is 0, which firmware takes as "to the end
 * of the volume" (UEFI 13.3.2.1; EDK2 does so below 2).
 */
export function uefiSectorCount(length: number): number {
  const sectors = Math.ceil(length / VIRTUAL_SECTOR_BYTES);
  return sectors > MAX_SECTOR_COUNT ? 0 : sectors;
}

/** Where a BIOS boot image lies, and what else to write into it. */
export interface BootInfo {
  readonly primaryDescriptorBlock: number;
  readonly imageBlock: number;
  /** Also write the block list with which GRUB starts from a disk or stick (`--grub2-boot-info`). */
  readonly grubDiskBoot: boolean;
}

/** A copy of `image` with the boot information table filled in. Throws LAYOUT_INVALID when the image is too short. */
export function patchBootImage(image: Uint8Array, info: BootInfo): Uint8Array {
  const least = info.grubDiskBoot ? GRUB_BLOCK_LIST + 8 : INFO_TABLE_END;
  if (image.length < least) {
    throw invalid("BIOS boot image", image.length, `at least ${least} bytes`, "build the image for El Torito");
  }
  const out = Uint8Array.from(image);
  if (info.grubDiskBoot) {
    const sector = info.imageBlock * (BLOCK_BYTES / VIRTUAL_SECTOR_BYTES) + GRUB_SECTORS_BEFORE_KERNEL;
    putFields(out, "GRUB block list", [["first sector", GRUB_BLOCK_LIST, "u64le", sector]]);
  }
  out.fill(0, 8, INFO_TABLE_END);
  putFields(out, "boot information table", [
    ["primary volume descriptor", 8, "u32le", info.primaryDescriptorBlock], //   8..11  block
    ["image", 12, "u32le", info.imageBlock], //                                 12..15  block
    ["image length", 16, "u32le", out.length], //                               16..19  bytes
    ["checksum", 20, "u32le", sumWords(out.subarray(INFO_TABLE_END))], //       20..23  of bytes 64 to the end
  ]);
  return out;
}

/** Sum of the 32-bit little-endian words, the last one filled with zeros, modulo 2^32. */
export function sumWords(bytes: Uint8Array): number {
  const whole = bytes.length - (bytes.length % 4);
  const view = viewOf(bytes);
  let sum = 0;
  for (let at = 0; at < whole; at += 4) sum = (sum + view.getUint32(at, true)) >>> 0;
  const rest = bytes.subarray(whole).reduceRight((word, byte) => word * 256 + byte, 0);
  return (sum + rest) >>> 0;
}

function encodeValidation(platform: number): Uint8Array {
  const out = new Uint8Array(CATALOG_ENTRY_BYTES);
  putFields(out, "El Torito validation entry", [
    ["header", 0, "u8", 1], //                 0
    ["platform", 1, "u8", platform], //        1
    ["checksum", 28, "u16le", 0], //      28..29  makes the sum of all 16-bit words 0
    ["key", 30, "u16le", 0xaa55], //      30..31
  ]);
  const view = viewOf(out);
  let sum = 0;
  for (let at = 0; at < out.length; at += 2) sum += view.getUint16(at, true);
  view.setUint16(28, -sum & 0xffff, true);
  return out;
}

function encodeImageEntry({ block, sectors }: BootImage): Uint8Array {
  const out = new Uint8Array(CATALOG_ENTRY_BYTES);
  putFields(out, "El Torito entry", [
    ["indicator", 0, "u8", BOOTABLE], //       0
    ["media", 1, "u8", 0], //                  1     no emulation
    ["load segment", 2, "u16le", 0], //        2..3  0 means 0x7c0
    ["system type", 4, "u8", 0], //            4
    ["sectors", 6, "u16le", sectors], //       6..7  of 512 bytes
    ["block", 8, "u32le", block], //           8..11 of 2048 bytes
  ]);
  return out;
}

function invalid(what: string, found: unknown, expected: string, fix: string): FactoryError {
  return new FactoryError({ code: "LAYOUT_INVALID", field: `El Torito ${what}`, found, expected, fix });
}
