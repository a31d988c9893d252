// SPDX-License-Identifier: Apache-2.0
// Reads the files of a Debian package. Its scripts are never run.
// Spec: deb(5) (ar archive of debian-binary, control.tar.*, data.tar.*), ar(5).
// An entry that is absolute, climbs out, or is over a bound is refused: a package is data from outside.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { createDecompressStream } from "@napi-rs/lzma/xz";
import { extract } from "tar-stream";
import type { Header } from "tar-stream";
import { FactoryError } from "../errors.ts";

const AR_MAGIC = "!<arch>\n";
const AR_HEADER_BYTES = 60;
const MAX_ENTRY_BYTES = 1024 * 1024 * 1024;
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

/** The entries of `data.tar`, in archive order. Throws ARCHIVE_HOSTILE or FORMAT_INVALID. */
export async function* debEntries(file: string): AsyncIterable<DebEntry> {
  const member = await findDataMember(file);
  const tar = extract();
  const raw = createReadStream(file, { start: member.offset, end: member.offset + member.size - 1 });
  const stream = decompressor(member.name, file);
  raw.on("error", (e) => tar.destroy(e));
  const flow = stream === undefined ? raw : raw.pipe(stream);
  stream?.on("error", (e: Error) => tar.destroy(e));
  Readable.from(flow).pipe(tar);
  let count = 0;
  for await (const entry of tar) {
    if (++count > MAX_ENTRIES) throw hostile(file, "entries", count, `at most ${MAX_ENTRIES}`);
    let read = false;
    const content = (async function* (): AsyncGenerator<Uint8Array> {
      read = true;
      for await (const chunk of entry as AsyncIterable<Uint8Array>) yield chunk;
    })();
    const parsed = parseHeader(entry.header, content, file);
    if (parsed !== undefined) yield parsed;
    if (!read) entry.resume(); // an entry that nobody reads must flow for the next one to come
  }
}

interface Member {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

async function findDataMember(file: string): Promise<Member> {
  const handle = await open(file, "r");
  try {
    const read = async (offset: number, length: number): Promise<string> => {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead).toString("latin1");
    };
    if ((await read(0, AR_MAGIC.length)) !== AR_MAGIC) throw invalid(file, "ar magic", "!<arch>");
    for (let at = AR_MAGIC.length; ;) {
      const header = await read(at, AR_HEADER_BYTES);
      const name = header.slice(0, 16).trim().replace(/\/$/, "");
      const size = Number(header.slice(48, 58).trim());
      if (header.length !== AR_HEADER_BYTES || header.slice(58) !== "`\n" || !Number.isSafeInteger(size) || size < 0) {
        throw invalid(file, "data.tar", "an ar member with the package's files");
      }
      if (name.startsWith("data.tar")) return { name, offset: at + AR_HEADER_BYTES, size };
      at += AR_HEADER_BYTES + size + (size % 2);
    }
  } finally {
    await handle.close();
  }
}

function decompressor(name: string, file: string): NodeJS.ReadWriteStream | undefined {
  if (name === "data.tar") return undefined;
  if (name === "data.tar.xz") return createDecompressStream();
  if (name === "data.tar.zst") return createZstdDecompress();
  if (name === "data.tar.gz") return createGunzip();
  throw invalid(file, name, "data.tar with gz, xz or zst");
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
  if (size > MAX_ENTRY_BYTES) throw hostile(file, path, size, `at most ${MAX_ENTRY_BYTES} bytes`);
  const target = type === "link" ? safePath(header.linkname ?? "", file) : (header.linkname ?? "");
  return { path, type, mode: (header.mode ?? 0) & 0o7777, size, target, content };
}

/** The path without "./" and trailing "/"; throws ARCHIVE_HOSTILE when it is absolute or climbs. */
function safePath(name: string, file: string): string {
  const path = name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (path === "." || path === "") return "";
  if (path.startsWith("/") || path.includes("\0") || path.split("/").some((part) => part === ".." || part === "")) {
    throw hostile(file, "path", name, "a relative path without ..");
  }
  return path;
}

function hostile(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "ARCHIVE_HOSTILE", file, field, found, expected, fix: "do not use this package" });
}

function invalid(file: string, field: string, expected: string): FactoryError {
  return new FactoryError({ code: "FORMAT_INVALID", file, field, expected, fix: "fetch the package again" });
}
