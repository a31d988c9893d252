// SPDX-License-Identifier: Apache-2.0
// Reads the files of a Debian package. Its scripts are never run.
// Spec: deb(5) (ar archive of debian-binary, control.tar.*, data.tar.*), ar(5).
// An entry that is absolute, climbs out, or is over a bound is refused: a package is data from outside.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import type { Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { createDecompressStream } from "@napi-rs/lzma/xz";
import { extract } from "tar-stream";
import type { Header } from "tar-stream";
import { FactoryError } from "../errors.ts";

const AR_MAGIC = "!<arch>\n";
const AR_HEADER_BYTES = 60;
const MAX_MEMBERS = 16; // a package has three
const MAX_CONTENT_BYTES = 4 * 1024 ** 3; // of all files together, unpacked
const MAX_ENTRIES = 200_000;

export interface DebEntry {
  /** Relative, without a leading "./"; never climbs. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes, of a file. */
  readonly size: number;
  /** Target of a symlink as written; of a hard link, a path like `path`. */
  readonly target: string;
  /** The content of a file; must be consumed before the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** The two archives of a package: its files, and what it says about itself. */
export type DebMember = "data.tar" | "control.tar";

/** The entries of `data.tar` or `control.tar`, in archive order. Throws ARCHIVE_HOSTILE or FORMAT_INVALID. */
export async function* debEntries(
  file: string,
  wanted: DebMember = "data.tar",
): AsyncGenerator<DebEntry, void, undefined> {
  const member = await findMember(file, wanted);
  const raw = createReadStream(file, { start: member.offset, end: member.offset + member.size - 1 });
  const tar = extract();
  const sink = tar as unknown as NodeJS.WritableStream;
  const inflate = decompressor(member.name, file);
  const ignore = (): void => undefined; // whoever iterates the tar gets the same error
  if (inflate === undefined) pipeline(raw, sink, ignore);
  else pipeline(raw, inflate, sink, ignore);
  try {
    yield* tarEntries(tar, file);
  } catch (error) {
    throw error instanceof FactoryError ? error : invalid(file, member.name, "a whole tar archive", error);
  } finally {
    raw.destroy();
    tar.destroy();
  }
}

async function* tarEntries(tar: ReturnType<typeof extract>, file: string): AsyncGenerator<DebEntry, void, undefined> {
  let count = 0;
  let total = 0;
  for await (const entry of tar) {
    if (++count > MAX_ENTRIES) throw hostile(file, "entries", count, `at most ${MAX_ENTRIES}`);
    let read = false;
    const content = (async function* () {
      read = true;
      for await (const chunk of entry) yield chunk as Uint8Array;
    })();
    const parsed = parseHeader(entry.header, content, file);
    total += parsed?.size ?? 0;
    if (total > MAX_CONTENT_BYTES) throw hostile(file, "content", total, `at most ${MAX_CONTENT_BYTES} bytes`);
    if (parsed !== undefined) yield parsed;
    if (!read) entry.resume(); // an entry that nobody reads must flow for the next one to come
  }
}

interface Member {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

async function findMember(file: string, wanted: DebMember): Promise<Member> {
  const handle = await open(file, "r").catch((cause: unknown) => {
    throw invalid(file, "package", "a readable file", cause);
  });
  try {
    const { size: length } = await handle.stat();
    const read = async (offset: number, bytes: number): Promise<string> => {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, offset);
      return buffer.toString("latin1", 0, bytesRead);
    };
    if ((await read(0, AR_MAGIC.length)) !== AR_MAGIC) throw invalid(file, "ar magic", "!<arch>");
    for (let at = AR_MAGIC.length, count = 0; count < MAX_MEMBERS; count++) {
      const { name, size } = parseMember(await read(at, AR_HEADER_BYTES), file);
      const offset = at + AR_HEADER_BYTES;
      if (offset + size > length) throw invalid(file, name, `a member within ${length} bytes`);
      if (name.startsWith(wanted) && size > 0) return { name, offset, size };
      at = offset + size + (size % 2); // members start at even offsets
    }
    throw invalid(file, wanted, `one among the first ${MAX_MEMBERS} members`);
  } finally {
    await handle.close();
  }
}

/** The 60 bytes of an ar header: name 0..15, size in decimal 48..57, magic 58..59. */
function parseMember(header: string, file: string): { readonly name: string; readonly size: number } {
  const digits = header.slice(48, 58).trim();
  if (header.length !== AR_HEADER_BYTES || header.slice(58) !== "`\n" || !/^\d+$/.test(digits)) {
    throw invalid(file, "ar header", "an ar member with the package's files");
  }
  return { name: header.slice(0, 16).trim().replace(/\/$/, ""), size: Number(digits) };
}

function decompressor(name: string, file: string): Duplex | undefined {
  switch (name.replace(/^(data|control)\.tar/, "")) {
    case "":
      return undefined;
    case ".xz":
      return createDecompressStream();
    case ".zst":
      return createZstdDecompress();
    case ".gz":
      return createGunzip();
    default:
      throw invalid(file, name, "a tar archive, plain or with gz, xz or zst");
  }
}

const TYPES: Readonly<Record<string, DebEntry["type"]>> = {
  file: "file",
  directory: "directory",
  symlink: "symlink",
  link: "link",
};

function parseHeader(header: Header, content: AsyncIterable<Uint8Array>, file: string): DebEntry | undefined {
  const type = TYPES[header.type];
  if (type === undefined) throw hostile(file, header.name, header.type, "a file, directory or link");
  const path = safePath(header.name, file);
  if (path === "") return undefined;
  const size = header.size;
  if (!Number.isSafeInteger(size)) throw hostile(file, path, size, "a size in bytes");
  const target = type === "link" ? safePath(header.linkname ?? "", file) : (header.linkname ?? "");
  if ((type === "link" || type === "symlink") && (target === "" || target.includes("\0")))
    throw hostile(file, path, target, "the target of a link");
  return { path, type, mode: (header.mode ?? 0) & 0o7777, size, target, content };
}

/** The path without "./" and trailing "/"; throws ARCHIVE_HOSTILE when it is absolute or climbs. */
function safePath(name: string, file: string): string {
  const path = name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (path === "." || (path === "" && !name.startsWith("/"))) return "";
  const parts = path.split("/");
  if (path.includes("\0") || parts.some((part) => part === ".." || part === "." || part === "")) {
    throw hostile(file, "path", name, "a relative path without ..");
  }
  return path;
}

function hostile(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "ARCHIVE_HOSTILE", file, field, found, expected, fix: "do not use this package" });
}

function invalid(file: string, field: string, expected: string, cause?: unknown): FactoryError {
  const fix = "run `dodeka store verify --repair`, so that the package is fetched again";
  return new FactoryError({ code: "FORMAT_INVALID", file, field, expected, fix, cause });
}
