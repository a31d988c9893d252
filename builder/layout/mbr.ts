// SPDX-License-Identifier: Apache-2.0
// Encodes sector 0 of a GPT disk: BIOS boot code, and the MBR partition records that guard the GPT or, on a hybrid
// ISO, name partitions for BIOSes that look for an active one. Spec: UEFI 2.10, section 5.2.3 (tables 5.3 and 5.4).
// Left out: CHS addresses (all readers of GPT disks use LBAs), and reading.
import { FactoryError } from "../errors.ts";
import { putFields } from "./bytes.ts";

export const MBR_BYTES = 512;
export const MBR_BOOT_CODE_BYTES = 440;

const RECORDS_OFFSET = 446;
const RECORD_BYTES = 16;
const LARGEST_SECTORS = 0xffff_ffff; // the specification's value for a disk that needs more

interface MbrCommon {
  /** Sectors of the whole disk, in the disk's own sector size. */
  readonly totalSectors: number;
  /** At most 440 bytes; none leaves zeros. */
  readonly bootCode?: Uint8Array | undefined;
  /** Derived from the plan; 0 when none is wanted. */
  readonly diskSignature?: number | undefined;
}

export interface HybridEntry {
  /** Partition type; 0 with `active` is the dummy that makes BIOSes boot which want an active partition. */
  readonly type: number;
  readonly firstLba: number;
  readonly sectors: number;
  readonly active: boolean;
}

/** 512 bytes with one record: type 0xEE from LBA 1 to the end. On 4096-byte sectors the rest of LBA 0 is zeros. */
export function encodeProtectiveMbr(request: MbrCommon): Uint8Array {
  return encodeHybridMbr({ ...request, entries: [] });
}

/**
 * The protective record first, then up to three more, which may lie inside it. Throws LAYOUT_INVALID for more than three
 * or for two active ones, LAYOUT_OVERFLOW for boot code over 440 bytes or an entry past the disk.
 */
export function encodeHybridMbr(request: MbrCommon & { readonly entries: readonly HybridEntry[] }): Uint8Array {
  const { totalSectors, bootCode = new Uint8Array(), diskSignature = 0, entries } = request;
  checkRequest(totalSectors, bootCode, entries);
  const sector = new Uint8Array(MBR_BYTES);
  sector.set(bootCode, 0);
  putFields(sector, "mbr", [
    ["diskSignature", 440, "u32le", diskSignature],
    ["unknown", 444, "u16le", 0],
    ["signature", 510, "u16le", 0xaa55],
  ]);
  const guarded = Math.min(totalSectors - 1, LARGEST_SECTORS);
  const protective = { type: 0xee, firstLba: 1, sectors: guarded, active: false };
  [protective, ...entries].forEach((entry, i) => putRecord(sector, i, entry));
  return sector;
}

function putRecord(sector: Uint8Array, index: number, { type, firstLba, sectors, active }: HybridEntry): void {
  const record = sector.subarray(RECORDS_OFFSET + index * RECORD_BYTES, RECORDS_OFFSET + (index + 1) * RECORD_BYTES);
  const isProtective = type === 0xee;
  putFields(record, `mbr entry ${index + 1}`, [
    ["bootIndicator", 0, "u8", active ? 0x80 : 0],
    ["startHead", 1, "u8", 0],
    ["startSector", 2, "u8", isProtective ? 2 : 1], // table 5.4 fixes 0/0/2; elsewhere 0/0/1 stands for "see LBA"
    ["startTrack", 3, "u8", 0],
    ["osType", 4, "u8", type],
    ["endHead", 5, "u8", 0xff], //                   0xFFFFFF: not representable
    ["endSector", 6, "u8", 0xff],
    ["endTrack", 7, "u8", 0xff],
    ["startingLba", 8, "u32le", firstLba],
    ["sizeInLba", 12, "u32le", sectors],
  ]);
}

function checkRequest(totalSectors: number, bootCode: Uint8Array, entries: readonly HybridEntry[]): void {
  if (!Number.isSafeInteger(totalSectors) || totalSectors < 2) {
    throw refuse("LAYOUT_OVERFLOW", "totalSectors", totalSectors, "2 sectors or more");
  }
  if (bootCode.length > MBR_BOOT_CODE_BYTES) {
    throw refuse("LAYOUT_OVERFLOW", "bootCode", bootCode.length, `at most ${MBR_BOOT_CODE_BYTES} bytes`);
  }
  if (entries.length > 3)
    throw refuse("LAYOUT_INVALID", "entries", entries.length, "at most 3 beside the protective one");
  const active = entries.filter((entry) => entry.active).length;
  if (active > 1) throw refuse("LAYOUT_INVALID", "active entries", active, "at most 1");
  for (const { firstLba, sectors } of entries) {
    const end = firstLba + sectors;
    if (sectors < 1 || end > totalSectors)
      throw refuse("LAYOUT_OVERFLOW", "entry end", end, `1 to ${totalSectors} sectors`);
  }
}

function refuse(
  code: "LAYOUT_INVALID" | "LAYOUT_OVERFLOW",
  field: string,
  found: number,
  expected: string,
): FactoryError {
  return new FactoryError({ code, field: `mbr ${field}`, found, expected, fix: "correct the disk layout" });
}
