// SPDX-License-Identifier: Apache-2.0
// Test support: a hybrid ISO as the factory makes it, small. UEFI's FAT volume is appended, and ISO entries share it.
import { bytesLayout, EMPTY, padLayout } from "../../builder/layout/extent.ts";
import type { Fat32Volume } from "../../builder/layout/fat32.ts";
import { layoutFat32, minimumFat32Bytes } from "../../builder/layout/fat32.ts";
import type { IsoEntry, IsoOptions } from "../../builder/layout/iso9660.ts";
import { fatFile, fatOptions } from "./fat32-samples.ts";
import { patternBytes } from "./layout-image.ts";

const SHARED = ["EFI/Linux/dodeka_1.0.0+3.efi", "dodeka/root-1.0.0.squashfs"];
const ESP_FILES = [fatFile("EFI/BOOT/BOOTX64.EFI", 120_000), ...SHARED.map((path, i) => fatFile(path, 300_001 + i))];

/** The EFI system partition of the sample. */
export function sampleEsp(): Fat32Volume {
  const content = { files: ESP_FILES, sectorBytes: 512, fileAlignment: 2048 } as const;
  return layoutFat32(fatOptions({ ...content, lengthBytes: minimumFat32Bytes(content), hiddenSectors: 0 }));
}

export function isoFile(path: string, length: number, seed: number = length): IsoEntry {
  return { kind: "file", path, content: bytesLayout(patternBytes(length, seed)) };
}

/** Names that ISO 9660 must mangle, that need a continuation area, and that collide when mangled. */
export const AWKWARD_ENTRIES: readonly IsoEntry[] = [
  isoFile("boot/grub/grub.cfg", 1234),
  isoFile("empty", 0),
  isoFile("README", 1),
  isoFile("names/Upper and lower.text", 2),
  isoFile("names/.hidden", 3),
  isoFile("names/two.dots.tar.gz", 2048),
  isoFile("names/Wörter-日本語-🚀", 2049),
  isoFile("names/Collide", 5),
  isoFile("names/collide", 6),
  isoFile("names/COLLIDE/in directory", 7),
  isoFile(`names/${"x".repeat(120)}`, 8),
  isoFile(`names/${"x".repeat(250)}`, 9),
  isoFile(`names/${"x".repeat(251)}`, 10),
  isoFile(`names/${"x".repeat(255)}`, 11),
  isoFile("1/2/3/4/5/6/7/deepest", 12),
  ...Array.from({ length: 100 }, (_, i) => isoFile(`many/a rather long file name, number ${i}.data`, i * 41, i)),
  ...Array.from({ length: 30 }, (_, i) => isoFile(`long/${"y".repeat(240)}${i}`, i + 1, i)),
];

export function isoOptions(over: Partial<IsoOptions> = {}): IsoOptions {
  return {
    volumeId: "DODEKA_1_0_0",
    publisherId: "DODEKA",
    applicationId: "DODEKA 1.0.0",
    epochSeconds: 1_700_000_001,
    entries: AWKWARD_ENTRIES,
    appended: { content: EMPTY, alignmentBytes: 2048 },
    boot: {},
    trailingBytes: 0,
    ...over,
  };
}

/** BIOS and UEFI boot, entries that share bytes with the FAT volume, room for a backup GPT. */
export function hybridOptions(): { readonly options: IsoOptions; readonly esp: Fat32Volume } {
  const esp = sampleEsp();
  const slices = SHARED.map((path): IsoEntry => ({
    kind: "slice",
    path,
    ...(esp.files.get(path) ?? { offset: 0, length: 0 }),
  }));
  const bios = { path: "boot/grub/eltorito.img", image: patternBytes(30_001, 5), loadSectors: 4, grubDiskBoot: true };
  return {
    esp,
    options: isoOptions({
      entries: [...AWKWARD_ENTRIES, ...slices],
      appended: { content: padLayout(esp.layout, 2048), alignmentBytes: 2 ** 20 },
      boot: { bios, uefi: "appended" },
      trailingBytes: 33 * 512,
    }),
  };
}
