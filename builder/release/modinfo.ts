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

function section(path: string, elf: Uint8Array, wanted: string): Uint8Array {
  const view = viewOf(elf);
  if (elf.length < ELF_HEADER_BYTES || view.getUint32(0, false) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw invalid(path, "a 64-bit little-endian ELF file");
  }
  const tableOffset = Number(view.getBigUint64(40, true)); // e_shoff
  const count = view.getUint16(60, true); //                   e_shnum
  const namesIndex = view.getUint16(62, true); //              e_shstrndx
  const bytesOf = (index: number): Uint8Array => {
    const at = tableOffset + index * SECTION_HEADER_BYTES;
    if (at + SECTION_HEADER_BYTES > elf.length) throw invalid(path, "a section table within the file");
    const offset = Number(view.getBigUint64(at + 24, true)); // sh_offset
    const size = Number(view.getBigUint64(at + 32, true)); //   sh_size
    if (offset + size > elf.length) throw invalid(path, "sections within the file");
    return elf.subarray(offset, offset + size);
  };
  const names = Buffer.from(bytesOf(namesIndex)).toString("latin1");
  for (let i = 0; i < count; i++) {
    const nameAt = view.getUint32(tableOffset + i * SECTION_HEADER_BYTES, true); // sh_name
    if (names.slice(nameAt, names.indexOf("\0", nameAt)) === wanted) return bytesOf(i);
  }
  throw invalid(path, `a section ${wanted}`);
}

function invalid(path: string, expected: string): FactoryError {
  return new FactoryError({ code: "FORMAT_INVALID", file: path, expected, fix: "fetch the kernel package again" });
}
