// SPDX-License-Identifier: Apache-2.0
// Finds a section of an ELF file by name. Every offset comes from the file and is checked before it is used.
// Spec: System V ABI, ELF-64 object files. 64-bit little-endian files only; at most 65279 sections.
import { FactoryError } from "../errors.ts";
import { viewOf } from "./bytes.ts";

const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const SHT_NOBITS = 8; // a section without bytes in the file

/** Whether the bytes begin like an ELF file of any kind. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, false) === 0x7f454c46;
}

/** The section's bytes, not copied; undefined when the file has none of that name. Throws FORMAT_INVALID; `path` names the file. */
export function findElfSection(path: string, elf: Uint8Array, wanted: string): Uint8Array | undefined {
  const view = viewOf(elf);
  if (elf.length < HEADER_BYTES || !isElf(elf) || elf[4] !== 2 || elf[5] !== 1) {
    throw invalid(path, "a 64-bit little-endian ELF file");
  }
  const tableOffset = Number(view.getBigUint64(40, true)); // e_shoff
  const entryBytes = view.getUint16(58, true); //             e_shentsize
  const count = view.getUint16(60, true); //                  e_shnum
  const namesIndex = view.getUint16(62, true); //             e_shstrndx
  if (entryBytes !== SECTION_HEADER_BYTES || tableOffset + count * SECTION_HEADER_BYTES > elf.length)
    throw invalid(path, "a section table within the file");
  const headers = Array.from({ length: count }, (_, i) => readHeader(view, tableOffset + i * SECTION_HEADER_BYTES));
  const bytesOf = ({ type, offset, size }: SectionHeader): Uint8Array => {
    if (type === SHT_NOBITS || offset + size > elf.length) throw invalid(path, "sections within the file");
    return elf.subarray(offset, offset + size);
  };
  const nameTable = headers[namesIndex];
  if (nameTable === undefined) throw invalid(path, "a table of section names");
  const names = Buffer.from(bytesOf(nameTable)).toString("latin1");
  const found = headers.find(({ nameAt }) => names.startsWith(`${wanted}\0`, nameAt));
  return found === undefined ? undefined : bytesOf(found);
}

interface SectionHeader {
  /** Offset of the name in the table of section names. */
  readonly nameAt: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

function readHeader(view: DataView, at: number): SectionHeader {
  return {
    nameAt: view.getUint32(at, true), //                    sh_name    0..3
    type: view.getUint32(at + 4, true), //                  sh_type    4..7
    offset: Number(view.getBigUint64(at + 24, true)), //    sh_offset 24..31
    size: Number(view.getBigUint64(at + 32, true)), //      sh_size   32..39
  };
}

function invalid(path: string, expected: string): FactoryError {
  return new FactoryError({ code: "FORMAT_INVALID", file: path, expected, fix: "make or fetch the file again" });
}
