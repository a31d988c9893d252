// SPDX-License-Identifier: Apache-2.0
// Test support: FAT32 options that the unit tests and the foreign judges share.
import { bytesLayout } from "../../builder/layout/extent.ts";
import type { Fat32File, Fat32Options } from "../../builder/layout/fat32.ts";
import { patternBytes } from "./layout-image.ts";

export const EPOCH = 1_700_000_001; // 2023-11-14T22:13:21Z, an odd second

export function fatFile(path: string, length: number, seed: number = length): Fat32File {
  return { path, content: bytesLayout(patternBytes(length, seed)) };
}

/** A file of each awkward kind: empty, one byte, cluster sized, long and short names of every sort, deep, many. */
export const AWKWARD_FILES: readonly Fat32File[] = [
  fatFile("EFI/BOOT/BOOTX64.EFI", 300_000),
  fatFile("EFI/Linux/dodeka_1.0.0+3.efi", 1_000_003),
  fatFile("empty", 0),
  fatFile("ONE", 1),
  fatFile("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/deep.txt", 77),
  fatFile("names/exactly13chr", 3),
  fatFile("names/twelve_chars", 4),
  fatFile("names/UPPER.TXT", 5),
  fatFile("names/lower.txt", 6),
  fatFile("names/.hidden", 7),
  fatFile("names/two.dots.in.name", 8),
  fatFile("names/with space.txt", 9),
  fatFile("names/plus+comma,semi;=[x]", 10),
  fatFile("names/Wörter-日本語-🚀-name.bin", 11),
  fatFile("names/日本語", 12),
  fatFile(`names/${"x".repeat(255)}`, 13),
  fatFile("names/longname one.text", 14),
  fatFile("names/longname two.text", 15),
  fatFile("names/LONGNA~1.TEX", 16),
  ...Array.from({ length: 100 }, (_, i) => fatFile(`many/a rather long file name, number ${i}.data`, i * 41, i)),
];

export function fatOptions(over: Partial<Fat32Options> = {}): Fat32Options {
  return {
    lengthBytes: 64 * 2 ** 20,
    sectorBytes: 512,
    volumeId: 0x1234_abcd,
    label: "DODEKA ESP",
    epochSeconds: EPOCH,
    hiddenSectors: 2048,
    files: AWKWARD_FILES,
    ...over,
  };
}
