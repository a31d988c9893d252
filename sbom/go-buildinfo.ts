// SPDX-License-Identifier: Apache-2.0
// Reads what the Go linker wrote into a binary about itself: toolchain, main package, every module with version and
// checksum, build settings. Spec: Go's debug/buildinfo (the inline format of Go 1.18 and later) and
// runtime/debug.ParseBuildInfo. The binary may be hostile: lengths are checked and counts bounded.
// Left out: the pointer format of Go before 1.18.
import { FactoryError } from "../builder/errors.ts";
import { findElfSection } from "../builder/layout/elf.ts";

export interface GoModule {
  readonly path: string;
  /** `v1.2.3`, a pseudo-version, or `(devel)` for the main module. */
  readonly version: string;
  /** `h1:…` as in go.sum; empty for the main module and for replacements by a folder. */
  readonly sum: string;
}

export interface GoBuildInfo {
  /** `go1.27.4` */
  readonly goVersion: string;
  /** Import path of the main package. */
  readonly path: string;
  readonly main: GoModule;
  /** What is really in the binary: a replaced module appears as its replacement. Sorted as the linker wrote them. */
  readonly modules: readonly GoModule[];
  readonly settings: Readonly<Record<string, string>>;
}

const MAGIC = "\xff Go buildinf:"; // 14 bytes
const HEADER_BYTES = 32; // magic 0..13, pointer size 14, flags 15, then unused
const FLAG_INLINE = 2;
const SENTINEL_BYTES = 16; // random bytes before and after the module text
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_MODULES = 10_000;

/** Undefined when the file has no such section: it is not a Go binary. Throws FORMAT_INVALID for a damaged one. */
export function readGoBuildInfo(path: string, elf: Uint8Array): GoBuildInfo | undefined {
  const section = findElfSection(path, elf, ".go.buildinfo");
  if (section === undefined) return undefined;
  const bytes = Buffer.from(section.buffer, section.byteOffset, section.length);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC)
    throw invalid(path, "header", "the magic of Go's build information");
  if (((bytes[15] ?? 0) & FLAG_INLINE) === 0) throw invalid(path, "flags", "inline strings (Go 1.18 or later)");
  const version = readText(path, bytes, HEADER_BYTES);
  const modules = readText(path, bytes, version.end);
  return parseModules(path, version.text, stripSentinels(path, modules.text));
}

/** A string behind its length as an unsigned varint. Bytes, not characters, so latin1 until it is split. */
function readText(path: string, bytes: Buffer, start: number): { readonly text: string; readonly end: number } {
  let length = 0;
  let at = start;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = bytes[at];
    if (byte === undefined || shift > 28) throw invalid(path, "length", "a varint below 2^28");
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  at += 1;
  if (length > MAX_TEXT_BYTES || at + length > bytes.length)
    throw invalid(path, "length", `a text of at most ${MAX_TEXT_BYTES} bytes within the section`);
  return { text: bytes.toString("latin1", at, at + length), end: at + length };
}

function stripSentinels(path: string, text: string): string {
  const isFramed = text.length > 2 * SENTINEL_BYTES && text.at(-SENTINEL_BYTES - 1) === "\n";
  if (!isFramed) throw invalid(path, "modules", "module information between its marks");
  return Buffer.from(text.slice(SENTINEL_BYTES, -SENTINEL_BYTES), "latin1").toString("utf8");
}

function parseModules(file: string, goVersion: string, text: string): GoBuildInfo {
  const modules: GoModule[] = [];
  const settings: Record<string, string> = {};
  let [path, main]: [string, GoModule | undefined] = ["", undefined];
  for (const line of text.split("\n")) {
    const [keyword, ...fields] = line.split("\t");
    if (keyword === "path") path = fields[0] ?? "";
    else if (keyword === "mod") main = module(fields);
    else if (keyword === "dep") modules.push(module(fields));
    else if (keyword === "=>") modules.splice(-1, 1, module(fields));
    else if (keyword === "build") Object.assign(settings, setting(file, fields.join("\t")));
    else if (line !== "") throw invalid(file, "modules", "lines that begin with path, mod, dep, => or build");
    if (modules.length > MAX_MODULES) throw invalid(file, "modules", `at most ${MAX_MODULES}`);
  }
  const isNamed = main !== undefined && [main, ...modules].every((m) => m.path !== "" && m.version !== "");
  if (main === undefined || !isNamed || !/^(go|devel)[ -~]{1,100}$/.test(goVersion))
    throw invalid(file, "modules", "a main module, a Go version, and a path and version for each module");
  return { goVersion, path, main, modules, settings };
}

function module([path = "", version = "", sum = ""]: readonly string[]): GoModule {
  return { path, version, sum };
}

/** `key=value`, either of them quoted as strconv.Quote does when it holds spaces or quotes. */
function setting(file: string, text: string): Readonly<Record<string, string>> {
  const parts = /^("(?:[^"\\]|\\.)*"|`[^`]*`|[^=]*)=(.*)$/s.exec(text);
  if (parts === null) throw invalid(file, "build settings", "key=value");
  return { [unquote(parts[1] ?? "")]: unquote(parts[2] ?? "") };
}

function unquote(text: string): string {
  if (text.startsWith("`") && text.endsWith("`") && text.length > 1) return text.slice(1, -1);
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text; // \x and \U escapes, which JSON has not: kept as written
  }
}

function invalid(file: string, field: string, expected: string): FactoryError {
  const fix = "build the binary with `go build` of a current Go";
  return new FactoryError({ code: "FORMAT_INVALID", file, field: `Go build information ${field}`, expected, fix });
}
