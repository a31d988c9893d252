// SPDX-License-Identifier: Apache-2.0
// An ISO 9660 volume as a space: descriptors by field, boot catalogue, directories by record, files; and, on a hybrid
// one, the partition table in its system area. The EFI partition comes first, since its files are the ISO's too.
// Spec: ECMA-119 sections 8.4 and 9.1; El Torito 1.0.
import { viewOf } from "../layout/bytes.ts";
import { readBootCatalog } from "../layout/el-torito-read.ts";
import { BLOCK_BYTES } from "../layout/iso9660-fields.ts";
import { PRIMARY_BLOCK } from "../layout/iso9660-plan.ts";
import { readIso } from "../layout/iso9660-read.ts";
import type { IsoVolumeFound } from "../layout/iso9660-read.ts";
import { readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { openGpt } from "./gpt-space.ts";
import type { FieldTable, OpenSpace, Piece, Space } from "./space.ts";
import { leafOf, once } from "./space.ts";
import { subImage } from "./sub-image.ts";

const GPT_OFFSET = 512;

const PRIMARY_FIELDS: FieldTable = [
  ["type", 0, 1],
  ["identifier", 1, 5],
  ["system id", 8, 32],
  ["volume id", 40, 32],
  ["volume blocks", 80, 8],
  ["path table size", 132, 8],
  ["path table places", 140, 16],
  ["root directory record", 156, 34],
  ["volume set id", 190, 128],
  ["publisher", 318, 128],
  ["preparer", 446, 128],
  ["application", 574, 128],
  ["creation time", 813, 17],
  ["modification time", 830, 17],
  ["expiration time", 847, 17],
  ["effective time", 864, 17],
];

const RECORD_FIELDS: FieldTable = [
  ["record length", 0, 1],
  ["extent", 2, 8],
  ["size", 10, 8],
  ["time", 18, 7],
  ["flags", 25, 1],
  ["identifier length", 32, 1],
];

/** Throws FORMAT_INVALID. */
export async function openIso(image: ReadableImage, open: OpenSpace): Promise<Space> {
  const volume = await readIso(image);
  const primary = await readRange(image, "primary volume descriptor", PRIMARY_BLOCK * BLOCK_BYTES, BLOCK_BYTES);
  const gpt = await openHybrid(image, open);
  const boots = await readBootCatalog(image);
  return {
    image,
    format: "iso",
    pieces: [
      ...gpt.pieces,
      ...(await descriptorPieces(image, primary)),
      ...directoryPieces(image, primary, volume),
      ...volume.files.flatMap((f): Piece[] => {
        if (f.kind === "directory") return [];
        const content = subImage(image, f.path, [f]);
        return [{ name: `ISO file ${f.path}`, runs: [f], inner: once(() => open(content)) }];
      }),
      { name: "system area", runs: [{ offset: 0, length: PRIMARY_BLOCK * BLOCK_BYTES }] },
    ],
    listing: [
      ...gpt.listing,
      ...volume.files.map(({ path, kind, offset, length }) => {
        const content = subImage(image, path, [{ offset, length }]);
        const name = `iso/${path}`;
        return kind === "directory" ? { path: name, kind, size: 0 } : { path: name, kind, size: length, content };
      }),
    ],
    values: {
      ...gpt.values,
      "ISO volume id": volume.volumeId,
      "boot images": boots.map((b) => `${b.platform === 0 ? "BIOS" : "UEFI"} at ${b.offset}`).join(", "),
    },
  };
}

async function openHybrid(image: ReadableImage, open: OpenSpace): Promise<Omit<Space, "image" | "format">> {
  const signature = Buffer.from(await readRange(image, "GPT", GPT_OFFSET, 8)).toString("latin1");
  return signature === "EFI PART" ? openGpt(image, 512, open) : { pieces: [], listing: [], values: {} };
}

async function descriptorPieces(image: ReadableImage, primary: Uint8Array): Promise<readonly Piece[]> {
  const block = (index: number, count = 1): ByteRange => ({ offset: index * BLOCK_BYTES, length: count * BLOCK_BYTES });
  const view = viewOf(primary);
  const pathTable = (name: string, at: number): Piece => ({
    name,
    runs: [{ offset: at * BLOCK_BYTES, length: view.getUint32(132, true) }],
  });
  const record = viewOf(await readRange(image, "boot record", (PRIMARY_BLOCK + 1) * BLOCK_BYTES, BLOCK_BYTES));
  const hasCatalog = record.getUint8(0) === 0 && record.getUint32(71, true) * BLOCK_BYTES < image.length;
  return [
    { name: "ISO primary volume descriptor", runs: [block(PRIMARY_BLOCK)], leaf: leafOf(PRIMARY_FIELDS) },
    ...(hasCatalog
      ? [
          { name: "El Torito boot record", runs: [block(PRIMARY_BLOCK + 1)] },
          {
            name: "El Torito boot catalogue",
            runs: [block(record.getUint32(71, true))],
            leaf: (at: number) => `entry ${Math.floor(at / 32)} byte ${at % 32}`,
          },
        ]
      : []),
    { name: "ISO volume descriptor set", runs: [block(PRIMARY_BLOCK + 2)] },
    pathTable("ISO path table (little-endian)", view.getUint32(140, true)),
    pathTable("ISO path table (big-endian)", view.getUint32(148, false)),
  ];
}

function directoryPieces(image: ReadableImage, primary: Uint8Array, volume: IsoVolumeFound): readonly Piece[] {
  const record = viewOf(primary.subarray(156, 190));
  const root = { offset: record.getUint32(2, true) * BLOCK_BYTES, length: record.getUint32(10, true) };
  const directories = volume.files.filter((f) => f.kind === "directory");
  return [{ path: "", ...root }, ...directories].map(({ path, offset, length }): Piece => {
    const run = { offset, length };
    const leaf = async (at: number): Promise<string> => nameRecord(await readRange(image, path, offset, length), at);
    return { name: `ISO directory /${path}`, runs: [run], leaf };
  });
}

/** The record that holds byte `at` of a directory, by its ISO 9660 identifier. */
function nameRecord(bytes: Uint8Array, at: number): string {
  const block = at - (at % BLOCK_BYTES);
  for (let start = block; start < block + BLOCK_BYTES;) {
    const size = bytes[start] ?? 0;
    if (size === 0) break;
    if (at < start + size) {
      const id = Buffer.from(bytes.subarray(start + 33, start + 33 + (bytes[start + 32] ?? 0))).toString("latin1");
      const name = id === "\0" ? "." : id === "\u0001" ? ".." : id;
      const nameEnd = 33 + id.length;
      const field =
        at - start < 33 ? leafOf(RECORD_FIELDS)(at - start) : at - start < nameEnd ? "identifier" : "system use";
      return `record ${name} (${field})`;
    }
    start += size;
  }
  return `byte ${at}`;
}
