// SPDX-License-Identifier: Apache-2.0
// Reads a kernel module's own description: the NUL-separated `key=value` strings of its .modinfo section.
// Spec: System V ABI, ELF-64 object files; Linux include/linux/moduleinfo.h. Little-endian 64-bit modules only.
import { FactoryError } from "../errors.ts";
import { viewOf } from "../layout/bytes.ts";

export interface ModuleInfo {
  /** With underscores, as the kernel names it. */
  readonly name: string;
  /** Names of the modules it needs, with underscores. */
  readonly depends: readonly string[];
  /** Patterns of the device aliases it serves. */
  readonly aliases: readonly string[];
  readonly license: string;
}

const ELF_HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;

/** Parses an uncompressed module. Throws FORMAT_INVALID; `path` names it in the error. */
export function readModinfo(path: string, module: Uint8Array): ModuleInfo {
  const values = new Map<string, string[]>();
  for (const line of Buffer.from(section(path, module, ".modinfo"))
    .toString("latin1")
    .split("\0")) {
    const equals = line.indexOf("=");
    if (equals > 0)
      values.set(line.slice(0, equals), [...(values.get(line.slice(0, equals)) ?? []), line.slice(equals + 1)]);
  }
  const one = (key: string): string => values.get(key)?.[0] ?? "";
  return {
    name: one("name") || moduleName(path),
    depends: one("depends")
      .split(",")
      .filter((d) => d !== "")
      .map(moduleName),
    aliases: values.get("alias") ?? [],
    license: one("license"),
  };
}

/** `drivers/ata/ahci-platform.ko.xz` -> `ahci_platform`. */
export function moduleName(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko(\.xz|\.zst|\.gz)?$/, "").replaceAll("-", "_");
}

/** The bytes of the named section. Every offset comes from the file and is checked before it is used. */
function section(path: string, elf: Uint8Array, wanted: string): Uint8Array {
  const view = viewOf(elf);
  if (elf.length < ELF_HEADER_BYTES || view.getUint32(0, false) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw invalid(path, "a 64-bit little-endian ELF file");
  }
  const tableOffset = Number(view.getBigUint64(40, true)); // e_shoff
  const entryBytes = view.getUint16(58, true); //             e_shentsize
  const count = view.getUint16(60, true); //                  e_shnum
  const namesIndex = view.getUint16(62, true); //             e_shstrndx
  if (entryBytes !== SECTION_HEADER_BYTES || tableOffset + count * SECTION_HEADER_BYTES > elf.length)
    throw invalid(path, "a section table within the file");
  const headers = Array.from({ length: count }, (_, i) => readHeader(view, tableOffset + i * SECTION_HEADER_BYTES));
  const bytesOf = ({ offset, size }: SectionHeader): Uint8Array => {
    if (offset + size > elf.length) throw invalid(path, "sections within the file");
    return elf.subarray(offset, offset + size);
  };
  const nameTable = headers[namesIndex];
  if (nameTable === undefined) throw invalid(path, "a table of section names");
  const names = Buffer.from(bytesOf(nameTable)).toString("latin1");
  const found = headers.find(({ nameAt }) => names.startsWith(`${wanted}\0`, nameAt));
  if (found === undefined) throw invalid(path, `a section ${wanted}`);
  return bytesOf(found);
}

interface SectionHeader {
  /** Offset of the name in the table of section names. */
  readonly nameAt: number;
  readonly offset: number;
  readonly size: number;
}

function readHeader(view: DataView, at: number): SectionHeader {
  return {
    nameAt: view.getUint32(at, true), //                    sh_name    0..3
    offset: Number(view.getBigUint64(at + 24, true)), //    sh_offset 24..31
    size: Number(view.getBigUint64(at + 32, true)), //      sh_size   32..39
  };
}

function invalid(path: string, expected: string): FactoryError {
  return new FactoryError({ code: "FORMAT_INVALID", file: path, expected, fix: "fetch the kernel package again" });
}
