// SPDX-License-Identifier: Apache-2.0
// Encodes the reserved area of a FAT32 volume: boot sector, FSInfo sector, and the backup of both.
// Spec: Microsoft FAT specification (fatgen103), "Boot Sector and BPB", "FAT32 FSInfo Sector Structure".
// Left out: a boot loader (firmware and GRUB do not use it); the code says "try the next device" and stops.
import { asciiBytes, putFields } from "./bytes.ts";
import { FAT_COPIES } from "./fat32-geometry.ts";
import { FIRST_CLUSTER } from "./fat32-allocation.ts";
import { SHORT_NAME_BYTES } from "./fat32-names.ts";
import type { FatGeometry, FatUnits } from "./fat32-geometry.ts";

export const FS_INFO_SECTOR = 1;
export const BACKUP_BOOT_SECTOR = 6;
export const MEDIA_FIXED = 0xf8;
const CODE_OFFSET = 90;
const BOOT_CODE = Uint8Array.of(0xcd, 0x18, 0xf4, 0xeb, 0xfd); // int 18h; hlt; jmp to the hlt

export interface BootSectorValues {
  readonly geometry: FatGeometry;
  readonly units: FatUnits;
  readonly volumeId: number;
  /** At most 11 characters. */
  readonly label: string;
  /** Sectors before the volume on its disk. */
  readonly hiddenSectors: number;
  readonly freeClusters: number;
  /** Where a writer starts to look for free clusters. */
  readonly lastTakenCluster: number;
}

/** The first 8 sectors: boot sector, FSInfo, four empty ones, and the backup of the first two. */
export function encodeReservedArea(values: BootSectorValues): Uint8Array {
  const { sectorBytes } = values.units;
  const out = new Uint8Array((BACKUP_BOOT_SECTOR + 2) * sectorBytes);
  const boot = encodeBootSector(values);
  const info = encodeFsInfo(values);
  out.set(boot, 0);
  out.set(info, FS_INFO_SECTOR * sectorBytes);
  out.set(boot, BACKUP_BOOT_SECTOR * sectorBytes);
  out.set(info, (BACKUP_BOOT_SECTOR + FS_INFO_SECTOR) * sectorBytes);
  return out;
}

function encodeBootSector(values: BootSectorValues): Uint8Array {
  const { geometry, units } = values;
  const out = new Uint8Array(512);
  out.set([0xeb, CODE_OFFSET - 2, 0x90], 0); //                               0..2   jump over the table
  out.set(asciiBytes("MSWIN4.1"), 3); //                                      3..10  the name fatgen103 recommends
  putFields(out, "FAT32 boot sector", [
    ["bytes per sector", 11, "u16le", units.sectorBytes], //                 11..12
    ["sectors per cluster", 13, "u8", units.clusterBytes / units.sectorBytes], // 13
    ["reserved sectors", 14, "u16le", geometry.reservedSectors], //          14..15
    ["tables", 16, "u8", FAT_COPIES], //                                         16
    ["root entries", 17, "u16le", 0], //                                     17..18  FAT12/16 only
    ["total sectors, short", 19, "u16le", 0], //                             19..20  FAT12/16 only
    ["media", 21, "u8", MEDIA_FIXED], //                                         21
    ["table sectors, short", 22, "u16le", 0], //                             22..23  FAT12/16 only
    ["sectors per track", 24, "u16le", 63], //                               24..25  nominal
    ["heads", 26, "u16le", 255], //                                          26..27  nominal
    ["hidden sectors", 28, "u32le", values.hiddenSectors], //                28..31
    ["total sectors", 32, "u32le", geometry.totalSectors], //                32..35
    ["table sectors", 36, "u32le", geometry.tableSectors], //                36..39
    ["flags", 40, "u16le", 0], //                                            40..41  both tables are live
    ["version", 42, "u16le", 0], //                                          42..43
    ["root cluster", 44, "u32le", FIRST_CLUSTER], //                         44..47
    ["FSInfo sector", 48, "u16le", FS_INFO_SECTOR], //                       48..49
    ["backup boot sector", 50, "u16le", BACKUP_BOOT_SECTOR], //              50..51
    ["drive", 64, "u8", 0x80], //                                                64
    ["dirty flags", 65, "u8", 0], //                                             65
    ["extended signature", 66, "u8", 0x29], //                                   66
    ["volume id", 67, "u32le", values.volumeId], //                          67..70
    ["signature", 510, "u16le", 0xaa55], //                                510..511
  ]);
  out.set(asciiBytes(values.label.padEnd(SHORT_NAME_BYTES)), 71); //         71..81
  out.set(asciiBytes("FAT32   "), 82); //                                    82..89
  out.set(BOOT_CODE, CODE_OFFSET); //                                        90..94
  return out;
}

function encodeFsInfo(values: BootSectorValues): Uint8Array {
  const out = new Uint8Array(512);
  putFields(out, "FAT32 FSInfo", [
    ["lead signature", 0, "u32le", 0x4161_5252], //                           0..3
    ["structure signature", 484, "u32le", 0x6141_7272], //                 484..487
    ["free clusters", 488, "u32le", values.freeClusters], //               488..491
    ["next free hint", 492, "u32le", values.lastTakenCluster], //          492..495
    ["trail signature", 508, "u32le", 0xaa55_0000], //                     508..511
  ]);
  return out;
}
