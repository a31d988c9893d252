// SPDX-License-Identifier: Apache-2.0
// Lays out a "newc" cpio archive, the initramfs format. File contents stay extents and are never copied.
// Spec: Linux Documentation/driver-api/early-userspace/buffer-format.rst, "cpio_header".
// Left out: checksums (magic 070702), hard links, sockets and FIFOs. Limits: contents below 4 GiB; names and symlink
// targets below 4096 bytes, since the kernel silently skips an entry with a longer one.
import { FactoryError } from "../errors.ts";
import { asciiBytes } from "./bytes.ts";
import { checkPath, comparePathBytes, parentOf } from "./entry-path.ts";
import { EMPTY, bytesLayout, concatLayouts, padLayout, roundUp } from "./extent.ts";
import type { Layout } from "./extent.ts";

interface CpioCommon {
  /** Relative, `/`-separated, without `.` and `..`; UTF-8 in the archive. */
  readonly path: string;
  /** Permission bits only, 0 to 0o7777; the type bits come from `kind`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, from the plan. */
  readonly mtimeSeconds: number;
}

export type CpioEntry = CpioCommon &
  (
    | { readonly kind: "directory" }
    | { readonly kind: "file"; readonly content: Layout }
    | { readonly kind: "symlink"; readonly target: string }
    | { readonly kind: "device"; readonly device: "char" | "block"; readonly major: number; readonly minor: number }
  );

const ALIGNMENT_BYTES = 4; // names and contents both end on it
const LONGEST_BYTES = 4096; // kernel PATH_MAX, NUL included
const TRAILER = "TRAILER!!!"; // name of the entry that ends an archive
const TYPE_BITS = { directory: 0o040000, file: 0o100000, symlink: 0o120000, char: 0o020000, block: 0o060000 } as const;

export interface CpioArchive extends Layout {
  /** Content of each file within the archive, in bytes, by path. */
  readonly files: ReadonlyMap<string, { readonly offset: number; readonly length: number }>;
}

/**
 * The archive, trailer included, its length a multiple of 4. Entries come out sorted by path bytes whatever the
 * order given, which puts every directory before its children; inodes count from 1 in that order.
 * Throws LAYOUT_INVALID for a hostile path, a duplicate, or a parent that is missing or no directory, and
 * LAYOUT_OVERFLOW for a value that does not fit its field.
 */
export function layoutCpio(entries: readonly CpioEntry[]): CpioArchive {
  const sorted = [...entries].sort((a, b) => comparePathBytes(a.path, b.path));
  checkTree(sorted);
  const files = new Map<string, { offset: number; length: number }>();
  const parts: Layout[] = [];
  let at = 0;
  for (const [index, entry] of sorted.entries()) {
    const { head, content } = layoutEntry(entry, index + 1);
    if (entry.kind === "file") files.set(entry.path, { offset: at + head.length, length: content.length });
    parts.push(head, padLayout(content, ALIGNMENT_BYTES));
    at += head.length + roundUp(content.length, ALIGNMENT_BYTES);
  }
  return { ...concatLayouts([...parts, layoutTrailer()]), files };
}

/**
 * Several archives as one initramfs, compressed or not: the kernel unpacks them in order, provided that each starts
 * at a multiple of 4 bytes. A root image that is compressed already travels in a stored archive behind a compressed one.
 */
export function joinCpioArchives(archives: readonly Layout[]): Layout {
  return concatLayouts(archives.map((archive) => padLayout(archive, ALIGNMENT_BYTES)));
}

function checkTree(sorted: readonly CpioEntry[]): void {
  const kinds = new Map<string, CpioEntry["kind"]>();
  for (const { path, kind } of sorted) {
    checkPath("cpio", path);
    if (path === TRAILER) throw invalid(path, "a name other than the one that ends the archive", "rename it");
    if (kinds.has(path)) throw invalid(path, "each path once", "remove the duplicate");
    const parent = parentOf(path);
    if (parent !== undefined && kinds.get(parent) !== "directory") {
      throw invalid(path, `its parent ${JSON.stringify(parent)} to be a directory entry`, "add the directory");
    }
    kinds.set(path, kind);
  }
}

function layoutEntry(entry: CpioEntry, inode: number): { readonly head: Layout; readonly content: Layout } {
  const content = contentOf(entry);
  const head = encodeHead(entry.path, [
    ["ino", inode], //                                    6..13
    ["mode", typeBits(entry) | permissions(entry)], //   14..21  type and permission bits
    ["uid", entry.uid], //                               22..29
    ["gid", entry.gid], //                               30..37
    ["nlink", entry.kind === "directory" ? 2 : 1], //    38..45  as gen_init_cpio has it; 2 on a file means a hard link
    ["mtime", entry.mtimeSeconds], //                    46..53  seconds
    ["filesize", content.length], //                     54..61  bytes
    ["devmajor", 0], //                                  62..69  fixed: the build host must not show
    ["devminor", 0], //                                  70..77
    ["rdevmajor", entry.kind === "device" ? entry.major : 0], // 78..85
    ["rdevminor", entry.kind === "device" ? entry.minor : 0], // 86..93
  ]);
  return { head: bytesLayout(head), content };
}

function layoutTrailer(): Layout {
  const names = ["ino", "mode", "uid", "gid", "nlink", "mtime", "filesize", "devmajor", "devminor", "rdevmajor"];
  const fields = [...names, "rdevminor"].map((name) => [name, name === "nlink" ? 1 : 0] as const);
  return bytesLayout(encodeHead(TRAILER, fields));
}

/** Magic, 13 fields of 8 hexadecimal digits, the name, a NUL, and zeros up to a multiple of 4. */
function encodeHead(path: string, fields: readonly (readonly [name: string, value: number])[]): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length + 1 > LONGEST_BYTES) throw overflow(path, "namesize", name.length + 1, "at most 4096 bytes");
  const numbers = [...fields, ["namesize", name.length + 1], ["check", 0]] as const; // 94..101, 102..109
  const header = asciiBytes("070701" + numbers.map(([field, value]) => hex8(path, field, value)).join(""));
  const padded = Math.ceil((header.length + name.length + 1) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const out = new Uint8Array(padded);
  out.set(header);
  out.set(name, header.length);
  return out;
}

function contentOf(entry: CpioEntry): Layout {
  switch (entry.kind) {
    case "file":
      return entry.content;
    case "symlink":
      return bytesLayout(targetBytes(entry.path, entry.target));
    case "directory":
    case "device":
      return EMPTY;
    default:
      return entry satisfies never;
  }
}

function targetBytes(path: string, target: string): Uint8Array {
  if (target === "" || target.includes("\0") || !target.isWellFormed()) {
    throw invalid(path, "a symlink target of one or more characters without NUL", "correct the target");
  }
  const bytes = new TextEncoder().encode(target);
  if (bytes.length >= LONGEST_BYTES) throw overflow(path, "target", bytes.length, "below 4096 bytes");
  return bytes;
}

function typeBits(entry: CpioEntry): number {
  return entry.kind === "device" ? TYPE_BITS[entry.device] : TYPE_BITS[entry.kind];
}

function permissions({ path, mode }: CpioEntry): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o7777) return mode;
  throw overflow(path, "mode", mode, "permission bits from 0 to 4095 (0o7777)");
}

function hex8(path: string, field: string, value: number): string {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) {
    return value.toString(16).toUpperCase().padStart(8, "0");
  }
  throw overflow(path, field, value, "a whole number from 0 to 4294967295");
}

function overflow(path: string, field: string, found: number, expected: string): FactoryError {
  const fix = "correct the value, or split the file";
  return new FactoryError({ code: "LAYOUT_OVERFLOW", field: `cpio ${path} ${field}`, found, expected, fix });
}

function invalid(path: string, expected: string, fix: string): FactoryError {
  return new FactoryError({ code: "LAYOUT_INVALID", field: "cpio path", found: path, expected, fix });
}
