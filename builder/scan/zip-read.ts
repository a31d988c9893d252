// SPDX-License-Identifier: Apache-2.0
// Reads the files of a ZIP archive, one at a time. Spec: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
// The archive may be hostile: counts and sizes are bounded, and what a file unpacks to is held to its directory entry.
// Left out: ZIP64, encryption, compressions other than deflate, several disks.
import { crc32, inflateRawSync } from "node:zlib";
import { viewOf } from "../layout/bytes.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const END_BYTES = 22;
const END_SIGNATURE = Buffer.from([0x50, 0x4b, 0x05, 0x06]);
const ENTRY_BYTES = 46;
const ENTRY_SIGNATURE = 0x0201_4b50;
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x0403_4b50;
const MAX_COMMENT_BYTES = 65_535;
const MAX_DIRECTORY_BYTES = 256 << 20;

/** Files, without folders, in the archive's order. Throws FORMAT_INVALID. */
export async function* readZip(image: ReadableImage, maxFileBytes: number): AsyncGenerator<ZipFile, void, undefined> {
  const directory = await readDirectory(image);
  const view = viewOf(directory);
  for (let at = 0; at < directory.length;) {
    if (at + ENTRY_BYTES > directory.length || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
      throw malformed(image.name, "ZIP directory", at, "an entry");
    }
    const nameBytes = view.getUint16(at + 28, true);
    const name = Buffer.from(directory.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes)).toString("utf8");
    const entry = {
      name,
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (!name.endsWith("/")) yield { name, bytes: await readEntry(image, entry, maxFileBytes) };
  }
}

async function readDirectory(image: ReadableImage): Promise<Uint8Array> {
  const tailBytes = Math.min(image.length, END_BYTES + MAX_COMMENT_BYTES);
  const tail = Buffer.from(await readRange(image, "ZIP end", image.length - tailBytes, tailBytes));
  const at = tail.lastIndexOf(END_SIGNATURE);
  if (at < 0 || at + END_BYTES > tail.length) {
    throw malformed(image.name, "ZIP end", tailBytes, "an end of central directory");
  }
  const [length, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  if (length > MAX_DIRECTORY_BYTES) {
    throw malformed(image.name, "ZIP directory", length, `at most ${MAX_DIRECTORY_BYTES} bytes, and no ZIP64`);
  }
  return readRange(image, "ZIP directory", offset, length);
}

interface ZipEntry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

async function readEntry(image: ReadableImage, entry: ZipEntry, maxFileBytes: number): Promise<Uint8Array> {
  const { name, flags, method, crc, packed, size, offset } = entry;
  const refuse = (field: string, found: unknown, expected: string): Error =>
    malformed(image.name, `ZIP ${name} ${field}`, found, expected);
  if ((flags & 1) !== 0) throw refuse("flags", flags, "a file that is not encrypted");
  if (size > maxFileBytes || packed > maxFileBytes) throw refuse("size", size, `at most ${maxFileBytes} bytes`);
  const local = viewOf(await readRange(image, name, offset, LOCAL_BYTES));
  if (local.getUint32(0, true) !== LOCAL_SIGNATURE) throw refuse("header", offset, "a local header");
  const start = offset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  const raw = await readRange(image, name, start, packed);
  if (method !== 0 && method !== 8) throw refuse("compression", method, "0 (stored) or 8 (deflate)");
  const bytes = method === 0 ? raw : inflate(raw, size, refuse);
  if (bytes.length !== size) throw refuse("size", bytes.length, `${size} bytes`);
  if (crc32(bytes) !== crc) throw refuse("CRC-32", crc32(bytes), String(crc));
  return bytes;
}

function inflate(raw: Uint8Array, size: number, refuse: (f: string, found: unknown, e: string) => Error): Uint8Array {
  try {
    return inflateRawSync(raw, { maxOutputLength: Math.max(1, size) });
  } catch {
    throw refuse("content", raw.length, `deflate data of ${size} bytes`);
  }
}
