// SPDX-License-Identifier: Apache-2.0
// Lists the entries of a "newc" cpio archive with the byte ranges of their names and contents, for verification and
// comparison. Spec: Linux Documentation/driver-api/early-userspace/buffer-format.rst, "cpio_header".
// The archive may be hostile: sizes, counts and names are bounded, and names that could leave the root are refused.
// Left out: the checksum variant (070702), hard links that share one content.
import { checkPath } from "../layout/entry-path.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";

export type EntryKind = "file" | "directory" | "symlink" | "device" | "other";

export interface CpioFound {
  readonly path: string;
  readonly kind: EntryKind;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Major and minor of a device, `5:1`. */
  readonly device?: string;
  readonly target?: string;
  /** The 110 bytes of the header. */
  readonly header: ByteRange;
  readonly name: ByteRange;
  readonly content: ByteRange;
}

export interface CpioArchiveFound {
  readonly entries: readonly CpioFound[];
  /** The trailer entry's end: where the next archive may begin after padding. */
  readonly end: number;
}

export const NEWC_MAGIC = "070701";

/** Header fields by offset, 8 hexadecimal digits each, for naming a byte. */
export const NEWC_FIELDS: readonly (readonly [name: string, offset: number])[] = [
  ["ino", 6],
  ["mode", 14],
  ["uid", 22],
  ["gid", 30],
  ["nlink", 38],
  ["mtime", 46],
  ["filesize", 54],
  ["devmajor", 62],
  ["devminor", 70],
  ["rdevmajor", 78],
  ["rdevminor", 86],
  ["namesize", 94],
  ["check", 102],
];

const HEADER_BYTES = 110;
const MAX_NAME_BYTES = 4096;
const MAX_ENTRIES = 65_536;
const TRAILER = "TRAILER!!!";
const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [0o040000, "directory"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o020000, "device"],
  [0o060000, "device"],
]);

/** Reads one archive from byte `start`, a multiple of 4, to its trailer. Throws FORMAT_INVALID on anything that does not hold together. */
export async function readCpio(image: ReadableImage, start = 0): Promise<CpioArchiveFound> {
  const entries: CpioFound[] = [];
  const paths = new Set<string>();
  let at = start;
  for (;;) {
    const { entry, end } = await readEntry(image, at);
    at = end;
    if (entry.path === TRAILER) return { entries, end };
    checkEntry(image, entry);
    if (paths.has(entry.path)) throw malformed(image.name, "cpio name", entry.path, "a name that comes once");
    paths.add(entry.path);
    entries.push(entry);
    if (entries.length > MAX_ENTRIES) throw malformed(image.name, "cpio entries", entries.length, `${MAX_ENTRIES}`);
  }
}

async function readEntry(image: ReadableImage, at: number): Promise<{ entry: CpioFound; end: number }> {
  const header = Buffer.from(await readRange(image, "cpio header", at, HEADER_BYTES)).toString("latin1");
  if (!header.startsWith(NEWC_MAGIC)) throw malformed(image.name, "cpio magic", header.slice(0, 6), NEWC_MAGIC);
  const field = (name: string): number => readField(image, header, name);
  const nameBytes = field("namesize");
  if (nameBytes < 2 || nameBytes > MAX_NAME_BYTES) {
    throw malformed(image.name, "cpio namesize", nameBytes, `2 to ${MAX_NAME_BYTES}`);
  }
  const name = { offset: at + HEADER_BYTES, length: nameBytes };
  const contentAt = align4(at + HEADER_BYTES + nameBytes);
  const content = { offset: contentAt, length: field("filesize") };
  const contentEnd = content.offset + content.length;
  if (contentEnd > image.length) {
    throw malformed(image.name, "cpio filesize", content.length, `contents within ${image.length} bytes`);
  }
  const path = decodeName(image, await readRange(image, "cpio name", name.offset, nameBytes));
  const mode = field("mode");
  const kind = KINDS.get(mode & 0o170000) ?? "other";
  const common = { path, kind, mode: mode & 0o7777, uid: field("uid"), gid: field("gid") };
  const device = kind === "device" ? { device: `${field("rdevmajor")}:${field("rdevminor")}` } : {};
  const target = kind === "symlink" ? { target: await readTarget(image, content) } : {};
  const entry = { ...common, ...device, ...target, header: { offset: at, length: HEADER_BYTES }, name, content };
  return { entry, end: Math.min(align4(contentEnd), image.length) };
}

function readField(image: ReadableImage, header: string, name: string): number {
  const offset = NEWC_FIELDS.find(([field]) => field === name)?.[1] ?? 0;
  const digits = header.slice(offset, offset + 8);
  if (!/^[0-9A-Fa-f]{8}$/.test(digits)) throw malformed(image.name, `cpio ${name}`, digits, "8 hexadecimal digits");
  return parseInt(digits, 16);
}

function decodeName(image: ReadableImage, bytes: Uint8Array): string {
  const text = decodeText(image, "cpio name", bytes.subarray(0, bytes.length - 1));
  if (bytes.at(-1) !== 0 || text.includes("\0"))
    throw malformed(image.name, "cpio name", text, "text that ends in NUL");
  return text;
}

async function readTarget(image: ReadableImage, content: ByteRange): Promise<string> {
  if (content.length === 0 || content.length >= MAX_NAME_BYTES) {
    throw malformed(image.name, "cpio symlink target", content.length, `1 to ${MAX_NAME_BYTES - 1} bytes`);
  }
  return decodeText(image, "cpio symlink target", await readRange(image, "target", content.offset, content.length));
}

function decodeText(image: ReadableImage, what: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed(image.name, what, Buffer.from(bytes.subarray(0, 64)).toString("latin1"), "UTF-8");
  }
}

function checkEntry(image: ReadableImage, { path, kind, content }: CpioFound): void {
  try {
    checkPath("cpio", path);
  } catch {
    throw malformed(image.name, "cpio name", path, "a relative path that stays below the root");
  }
  const mayHoldBytes = kind === "file" || kind === "symlink";
  if (!mayHoldBytes && content.length > 0) throw malformed(image.name, `cpio ${path}`, content.length, "no content");
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
