// SPDX-License-Identifier: Apache-2.0
// A FAT32 volume as a space: boot sectors by field, tables by cluster, directory entries by file and field, files.
// Spec: Microsoft FAT specification (fatgen103).
import { viewOf } from "../layout/bytes.ts";
import { ATTRIBUTE, ENTRY_BYTES } from "../layout/fat32-entries.ts";
import { decodeDirectory } from "../layout/fat32-read-entries.ts";
import { readFat32 } from "../layout/fat32-read.ts";
import type { FatVolumeFound } from "../layout/fat32-read.ts";
import { readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { isMalformed } from "./malformed.ts";
import type { FieldTable, Listed, OpenSpace, Piece, Space } from "./space.ts";
import { leafOf, once } from "./space.ts";
import { subImage } from "./sub-image.ts";

const BOOT_FIELDS: FieldTable = [
  ["jump", 0, 3],
  ["OEM name", 3, 8],
  ["bytes per sector", 11, 2],
  ["sectors per cluster", 13, 1],
  ["reserved sectors", 14, 2],
  ["number of tables", 16, 1],
  ["media", 21, 1],
  ["hidden sectors", 28, 4],
  ["total sectors", 32, 4],
  ["table sectors", 36, 4],
  ["flags", 40, 2],
  ["version", 42, 2],
  ["root cluster", 44, 4],
  ["FSInfo sector", 48, 2],
  ["backup boot sector", 50, 2],
  ["drive", 64, 1],
  ["volume id", 67, 4],
  ["label", 71, 11],
  ["file system type", 82, 8],
  ["boot code", 90, 420],
  ["signature", 510, 2],
];

const INFO_FIELDS: FieldTable = [
  ["lead signature", 0, 4],
  ["structure signature", 484, 4],
  ["free clusters", 488, 4],
  ["next free cluster", 492, 4],
  ["trail signature", 508, 4],
];

const ENTRY_FIELDS: FieldTable = [
  ["short name", 0, 11],
  ["attributes", 11, 1],
  ["case flags", 12, 1],
  ["creation time", 13, 5],
  ["access date", 18, 2],
  ["first cluster", 20, 2],
  ["write time", 22, 4],
  ["first cluster", 26, 2],
  ["size", 28, 4],
];

/** Throws FORMAT_INVALID. */
export async function openFat(image: ReadableImage, open: OpenSpace): Promise<Space> {
  const found = await readFat32(image);
  const boot = viewOf(await readRange(image, "boot sector", 0, 512));
  const root: Piece = directoryPiece(image, "", found.rootRuns);
  const directories = found.files.flatMap((f) =>
    f.kind === "directory" ? [directoryPiece(image, f.path, f.runs)] : [],
  );
  const files = found.files.flatMap(({ path, kind, length, runs }): { piece: Piece; listed: Listed }[] => {
    if (kind === "directory") return [];
    const content = subImage(image, path, runs);
    const inner = once(() => open(content));
    return [
      {
        piece: { name: `FAT file ${path}`, runs, inner },
        listed: { path, kind: "file", size: length, content, inner },
      },
    ];
  });
  return {
    image,
    format: "fat",
    pieces: [...reservedPieces(boot, found), root, ...directories, ...files.map((f) => f.piece)],
    listing: [
      ...found.files.flatMap((f): Listed[] =>
        f.kind === "directory" ? [{ path: f.path, kind: "directory", size: 0 }] : [],
      ),
      ...files.map((f) => f.listed),
    ],
    values: {
      "FAT volume id": found.volumeId.toString(16).padStart(8, "0"),
      "FAT label": found.label,
      "FAT cluster size": String(found.clusterBytes),
    },
  };
}

function reservedPieces(boot: DataView, found: FatVolumeFound): readonly Piece[] {
  const sector = found.sectorBytes;
  const at = (index: number): readonly ByteRange[] => [{ offset: index * sector, length: sector }];
  const [info, backup] = [boot.getUint16(48, true), boot.getUint16(50, true)];
  return [
    { name: "FAT boot sector", runs: at(0), leaf: leafOf(BOOT_FIELDS) },
    { name: "FSInfo sector", runs: at(info), leaf: leafOf(INFO_FIELDS) },
    { name: "backup FAT boot sector", runs: at(backup), leaf: leafOf(BOOT_FIELDS) },
    { name: "backup FSInfo sector", runs: at(backup + info), leaf: leafOf(INFO_FIELDS) },
    ...found.tables.map((run, i): Piece => {
      const leaf = (offset: number): string => `entry of cluster ${Math.floor(offset / 4)}`;
      return { name: `FAT table ${i + 1}`, runs: [run], leaf };
    }),
  ];
}

function directoryPiece(image: ReadableImage, path: string, runs: readonly ByteRange[]): Piece {
  const bytes = once(() => {
    const all = subImage(image, path, runs);
    return readRange(all, "directory", 0, all.length);
  });
  const prefix = path === "" ? "" : `${path}/`;
  const leaf = async (offset: number): Promise<string> => nameEntry(await bytes(), offset, prefix);
  return { name: "FAT directory", runs, leaf };
}

/** `FAT entry EFI/Linux/x.efi (size)`: a file's entry is its long name parts and the short entry behind them. */
function nameEntry(bytes: Uint8Array, offset: number, prefix: string): string {
  const slot = Math.floor(offset / ENTRY_BYTES);
  const isLong = (index: number): boolean => ((bytes[index * ENTRY_BYTES + 11] ?? 0) & 0x3f) === ATTRIBUTE.longName;
  let [first, last] = [slot, slot];
  while (isLong(last) && (last + 1) * ENTRY_BYTES < bytes.length) last++;
  while (first > 0 && isLong(first - 1)) first--;
  const group = bytes.subarray(first * ENTRY_BYTES, (last + 1) * ENTRY_BYTES);
  const field = isLong(slot) ? "long name" : leafOf(ENTRY_FIELDS)(offset % ENTRY_BYTES);
  return `entry ${prefix}${nameOf(group) ?? `number ${slot}`} (${field})`;
}

function nameOf(group: Uint8Array): string | undefined {
  try {
    const { entries, label } = decodeDirectory(group, { volume: "", directory: "" });
    return entries[0]?.name ?? label;
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}
