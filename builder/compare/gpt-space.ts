// SPDX-License-Identifier: Apache-2.0
// A disk with a GUID partition table as a space: MBR, both headers and entry arrays by field, and the partitions.
// Spec: UEFI 2.10, sections 5.2.1 and 5.3.
import { decodeGpt } from "../layout/gpt-decode.ts";
import type { DecodedGpt } from "../layout/gpt-decode.ts";
import { GPT_ENTRIES, GPT_ENTRY_BYTES } from "../layout/gpt.ts";
import type { SectorBytes } from "../layout/gpt.ts";
import { readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import type { FieldTable, Listed, OpenSpace, Piece, Space } from "./space.ts";
import { leafOf, once } from "./space.ts";
import { subImage } from "./sub-image.ts";

const MBR_FIELDS: FieldTable = [
  ["boot code", 0, 440],
  ["disk signature", 440, 4],
  ["reserved", 444, 2],
  ["partition record 1", 446, 16],
  ["partition record 2", 462, 16],
  ["partition record 3", 478, 16],
  ["partition record 4", 494, 16],
  ["signature", 510, 2],
];

const HEADER_FIELDS: FieldTable = [
  ["signature", 0, 8],
  ["revision", 8, 4],
  ["header size", 12, 4],
  ["header CRC", 16, 4],
  ["reserved", 20, 4],
  ["own LBA", 24, 8],
  ["alternate LBA", 32, 8],
  ["first usable LBA", 40, 8],
  ["last usable LBA", 48, 8],
  ["disk GUID", 56, 16],
  ["entry array LBA", 72, 8],
  ["number of entries", 80, 4],
  ["entry size", 84, 4],
  ["entry array CRC", 88, 4],
];

const ENTRY_FIELDS: FieldTable = [
  ["type GUID", 0, 16],
  ["GUID", 16, 16],
  ["first LBA", 32, 8],
  ["last LBA", 40, 8],
  ["attributes", 48, 8],
  ["name", 56, 72],
];

const ARRAY_BYTES = GPT_ENTRIES * GPT_ENTRY_BYTES;

/** Pieces, partitions and identifiers of the table. Throws FORMAT_INVALID. */
export async function openGpt(
  image: ReadableImage,
  sectorBytes: SectorBytes,
  open: OpenSpace,
): Promise<Omit<Space, "image" | "format">> {
  const gpt = decodeGpt(await readRange(image, "GPT", sectorBytes, sectorBytes + ARRAY_BYTES), sectorBytes);
  const partitions = gpt.partitions.map((p) => openPartition(image, sectorBytes, p, open));
  const backup = gpt.backupLba * sectorBytes;
  const names = new Map(gpt.partitions.map((p) => [p.number, p.name]));
  return {
    pieces: [
      { name: "MBR", runs: [{ offset: 0, length: 512 }], leaf: leafOf(MBR_FIELDS) },
      headerPiece("GPT header", sectorBytes, sectorBytes),
      arrayPiece("GPT", 2 * sectorBytes, names),
      arrayPiece("backup GPT", backup - ARRAY_BYTES, names),
      headerPiece("backup GPT header", backup, sectorBytes),
      ...partitions.map((p) => p.piece),
    ],
    listing: partitions.map((p) => p.listed),
    values: {
      "disk GUID": gpt.diskGuid,
      ...Object.fromEntries(
        gpt.partitions.flatMap(({ name, guid, typeGuid, firstLba }) => [
          [`partition ${name} GUID`, guid],
          [`partition ${name} type`, typeGuid],
          [`partition ${name} offset`, String(firstLba * sectorBytes)],
        ]),
      ),
    },
  };
}

function headerPiece(name: string, offset: number, sectorBytes: number): Piece {
  return { name, runs: [{ offset, length: sectorBytes }], leaf: leafOf(HEADER_FIELDS) };
}

function arrayPiece(name: string, offset: number, names: ReadonlyMap<number, string>): Piece {
  const field = leafOf(ENTRY_FIELDS);
  const leaf = (at: number): string => {
    const number = Math.floor(at / GPT_ENTRY_BYTES) + 1;
    return `entry ${number} ${names.get(number) ?? "(unused)"} ${field(at % GPT_ENTRY_BYTES)}`;
  };
  return { name: `${name} entries`, runs: [{ offset, length: ARRAY_BYTES }], leaf };
}

function openPartition(
  image: ReadableImage,
  sectorBytes: number,
  { name, firstLba, lastLba }: DecodedGpt["partitions"][number],
  open: OpenSpace,
): { piece: Piece; listed: Listed } {
  const run = { offset: firstLba * sectorBytes, length: (lastLba - firstLba + 1) * sectorBytes };
  const content = subImage(image, `partition ${name}`, [run]);
  const inner = once(() => open(content));
  return {
    piece: { name: `partition ${name}`, runs: [run], inner },
    listed: { path: name, kind: "partition", size: run.length, content, inner },
  };
}
