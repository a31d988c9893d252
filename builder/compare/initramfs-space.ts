// SPDX-License-Identifier: Apache-2.0
// An initramfs as a space: archives behind each other, stored or as zstd frames, with zeros in between.
// Spec: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
import { malformed, readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { inflateZstd, inflatedLengthOfPrefix, zstdFrameBytes } from "./bounded-zstd.ts";
import type { CpioFound } from "./cpio-read.ts";
import { NEWC_FIELDS, NEWC_MAGIC, readCpio } from "./cpio-read.ts";
import { isMalformed } from "./malformed.ts";
import type { Expansion, Listed, OpenSpace, Piece, Space, UnpackBudget } from "./space.ts";
import { leafOf, once, opaque } from "./space.ts";
import { bytesImage, subImage } from "./sub-image.ts";

const ZSTD_BYTES = "28b52ffd";
const MAX_ARCHIVES = 64;
const SCAN_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(SCAN_BYTES);

/** Whether the first bytes are those of an archive, stored or compressed. */
export function looksLikeInitramfs(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.subarray(0, 6));
  return bytes.toString("latin1") === NEWC_MAGIC || bytes.toString("hex", 0, 4) === ZSTD_BYTES;
}

/** Throws FORMAT_INVALID. */
export async function openInitramfs(image: ReadableImage, open: OpenSpace, budget: UnpackBudget): Promise<Space> {
  const pieces: Piece[] = [];
  const listing: Listed[] = [];
  let frames = 0;
  let at = await skipZeros(image, 0);
  for (let archives = 0; at < image.length; archives++) {
    if (archives >= MAX_ARCHIVES) throw malformed(image.name, "archives", archives, `at most ${MAX_ARCHIVES}`);
    const magic = Buffer.from(await readRange(image, "archive", at, Math.min(6, image.length - at)));
    if (magic.toString("hex", 0, 4) === ZSTD_BYTES) {
      const run = { offset: at, length: await zstdFrameBytes(image, at) };
      const { piece, listed } = openFrame(image, { run, name: `zstd frame ${++frames}` }, open, budget);
      pieces.push(piece);
      listing.push(listed);
      at += run.length;
    } else {
      const { entries, end } = await readCpio(image, at);
      for (const entry of entries) openEntry(image, entry, open, { pieces, listing });
      at = end;
    }
    at = await skipZeros(image, at);
  }
  return { image, format: "initramfs", pieces, listing, values: {} };
}

/** The next byte that is not zero. */
async function skipZeros(image: ReadableImage, from: number): Promise<number> {
  for (let at = from; at < image.length; at += SCAN_BYTES) {
    const bytes = await readRange(image, "padding", at, Math.min(SCAN_BYTES, image.length - at));
    if (ZEROS.subarray(0, bytes.length).equals(bytes)) continue;
    const found = bytes.findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
  }
  return image.length;
}

function openFrame(
  image: ReadableImage,
  { run, name }: { readonly run: ByteRange; readonly name: string },
  open: OpenSpace,
  budget: UnpackBudget,
): { piece: Piece; listed: Listed } {
  const packed = (length: number): Promise<Uint8Array> => readRange(image, name, run.offset, length);
  const expand = once(async (): Promise<Expansion> => {
    const bytes = inflateZstd(await packed(run.length), budget.left, image.name);
    budget.left -= bytes.length;
    const position = async (offset: number): Promise<number> =>
      inflatedLengthOfPrefix(await packed(offset), Math.max(1, bytes.length));
    return { space: await open(bytesImage(name, bytes)), position };
  });
  return {
    piece: { name, runs: [run], expand },
    listed: { path: "", kind: "file", size: run.length, inner: () => unpackedOrOpaque(image, expand) },
  };
}

/** A listing goes on past an archive that cannot be unpacked. */
async function unpackedOrOpaque(image: ReadableImage, expand: () => Promise<Expansion>): Promise<Space> {
  try {
    return (await expand()).space;
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return opaque(image, { unreadable: error.message });
  }
}

function openEntry(
  image: ReadableImage,
  entry: CpioFound,
  open: OpenSpace,
  out: { pieces: Piece[]; listing: Listed[] },
): void {
  const { path, kind, mode, uid, gid, target, device, header } = entry;
  const name = `initramfs entry ${path}`;
  const head = { offset: header.offset, length: entry.content.offset - header.offset };
  const fields = [["magic", 0, 6] as const, ...NEWC_FIELDS.map(([field, at]) => [field, at, 8] as const)];
  const leaf = leafOf([...fields, ["name", header.length, entry.name.length]]);
  const content = subImage(image, path, [entry.content]);
  const inner = once(() => open(content));
  out.pieces.push({ name, runs: [head], leaf: (at) => `(${leaf(at)})` }, { name, runs: [entry.content], inner });
  out.listing.push({
    path,
    kind,
    mode,
    owner: `${uid}:${gid}`,
    size: entry.content.length,
    ...(target === undefined ? {} : { target }),
    ...(device === undefined ? {} : { device }),
    ...(kind === "file" ? { content, inner } : {}),
  });
}
