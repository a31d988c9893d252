// SPDX-License-Identifier: Apache-2.0
// A tiny kernel module: an ELF file with a .modinfo section and nothing to run.
import { putFields } from "../../builder/layout/bytes.ts";

const HEADER_BYTES = 64;

/** `info`: the strings of .modinfo. Sections: null, .modinfo, .shstrtab. */
export function sampleModule(info: readonly string[]): Uint8Array {
  const names = Buffer.from("\0.modinfo\0.shstrtab\0");
  const modinfo = Buffer.from(info.map((line) => `${line}\0`).join(""), "latin1");
  const namesAt = HEADER_BYTES + modinfo.length;
  const tableAt = namesAt + names.length;
  const file = new Uint8Array(tableAt + 3 * HEADER_BYTES);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.set(modinfo, HEADER_BYTES);
  file.set(names, namesAt);
  putFields(file, "ELF", [
    ["e_shoff", 40, "u64le", BigInt(tableAt)],
    ["e_shentsize", 58, "u16le", HEADER_BYTES],
    ["e_shnum", 60, "u16le", 3],
    ["e_shstrndx", 62, "u16le", 2],
  ]);
  const section = (index: number, nameAt: number, offset: number, size: number): void =>
    putFields(file, "section", [
      ["sh_name", tableAt + index * HEADER_BYTES, "u32le", nameAt],
      ["sh_offset", tableAt + index * HEADER_BYTES + 24, "u64le", BigInt(offset)],
      ["sh_size", tableAt + index * HEADER_BYTES + 32, "u64le", BigInt(size)],
    ]);
  section(1, 1, HEADER_BYTES, modinfo.length);
  section(2, 10, namesAt, names.length);
  return file;
}
