// SPDX-License-Identifier: Apache-2.0
// Lays out a tar archive of plain files. Contents stay extents and are never copied.
// Spec: POSIX.1-2017 pax, "ustar Interchange Format". Left out: extended headers, links, devices. Limits: names of at most
// 100 ASCII characters, contents below 8 GiB.
import { FactoryError } from "../errors.ts";
import { asciiBytes } from "./bytes.ts";
import { checkPath } from "./entry-path.ts";
import { EMPTY, bytesLayout, concatLayouts, padLayout, zerosLayout } from "./extent.ts";
import type { Layout } from "./extent.ts";

/** A file, or a directory without `content`. Those of one archive have one time and belong to root. */
export interface TarEntry {
  /** Relative, without a slash at the end. */
  readonly path: string;
  readonly content?: Layout;
}

export interface TarArchive extends Layout {
  /** Content of each file within the archive, in bytes, by path. */
  readonly files: ReadonlyMap<string, { readonly offset: number; readonly length: number }>;
}

const BLOCK_BYTES = 512;
const RECORD_BYTES = 20 * BLOCK_BYTES; // what tar writes at a time
const NAME_BYTES = 100;
const CHECKSUM_AT = 148;
const [FILE_MODE, DIRECTORY_MODE] = [0o644, 0o755];

/** In the order given. Throws LAYOUT_INVALID for a hostile, long or repeated path, LAYOUT_OVERFLOW for a long content. */
export function layoutTar(entries: readonly TarEntry[], epochSeconds: number): TarArchive {
  const files = new Map<string, { offset: number; length: number }>();
  const parts: Layout[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (const entry of entries) {
    checkPath("tar", entry.path);
    if (seen.has(entry.path)) throw invalid(entry.path, "each path once");
    seen.add(entry.path);
    const content = padLayout(entry.content ?? EMPTY, BLOCK_BYTES);
    if (entry.content !== undefined) files.set(entry.path, { offset: at + BLOCK_BYTES, length: entry.content.length });
    parts.push(bytesLayout(encodeHeader(entry, epochSeconds)), content);
    at += BLOCK_BYTES + content.length;
  }
  const whole = concatLayouts([...parts, zerosLayout(2 * BLOCK_BYTES)]);
  return { ...padLayout(whole, RECORD_BYTES), files };
}

function encodeHeader({ path, content }: TarEntry, epochSeconds: number): Uint8Array {
  const isFile = content !== undefined;
  const name = isFile ? path : `${path}/`;
  if (name.length > NAME_BYTES) throw invalid(name, `a name of at most ${NAME_BYTES} characters`);
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string): void => header.set(asciiBytes(text), offset);
  put(0, name);
  put(100, octal(path, "mode", isFile ? FILE_MODE : DIRECTORY_MODE, 7));
  put(108, octal(path, "uid", 0, 7));
  put(116, octal(path, "gid", 0, 7));
  put(124, octal(path, "size", content?.length ?? 0, 11));
  put(136, octal(path, "mtime", epochSeconds, 11));
  put(CHECKSUM_AT, " ".repeat(8)); // counted as spaces
  put(156, isFile ? "0" : "5");
  put(257, "ustar");
  put(263, "00");
  put(329, octal(path, "devmajor", 0, 7));
  put(337, octal(path, "devminor", 0, 7));
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(CHECKSUM_AT, octal(path, "chksum", sum, 6));
  header[CHECKSUM_AT + 6] = 0;
  return header;
}

/** Digits that fill the field up to its NUL. */
function octal(path: string, field: string, value: number, digits: number): string {
  const text = value.toString(8).padStart(digits, "0");
  if (text.length <= digits) return text;
  throw new FactoryError({
    code: "LAYOUT_OVERFLOW",
    field: `tar ${field} of ${path}`,
    found: value,
    expected: `at most ${8 ** digits - 1}`,
    fix: "correct the value that leads to it",
  });
}

function invalid(path: string, expected: string): FactoryError {
  return new FactoryError({
    code: "LAYOUT_INVALID",
    field: "tar path",
    found: path,
    expected,
    fix: "rename the entry",
  });
}
