// SPDX-License-Identifier: Apache-2.0
// A small PE32+ image with the shape of systemd-stub, for tests of the reader and the UKI assembler.
import { putFields } from "../../builder/layout/bytes.ts";

export interface SampleSection {
  readonly name: string;
  readonly text: string;
}

export interface SampleStub {
  readonly machine?: number;
  readonly magic?: number;
  readonly sections?: readonly SampleSection[];
  readonly headerBytes?: number;
  readonly certificate?: readonly [offset: number, size: number];
}

export const STUB_SBAT =
  "sbat,1,SBAT Version,sbat,1,https://example.org/sbat\nstub,1,A Stub,stub,257,https://example.org/\n";

const SECTIONS: readonly SampleSection[] = [
  { name: ".text", text: "code" },
  { name: ".sbat", text: STUB_SBAT },
  { name: ".sdmagic", text: "#### LoaderInfo: a stub ####" },
];
const [COFF, OPTIONAL, TABLE] = [68, 88, 328];

/** Sections at 4096, 8192, … in memory and one after another, in units of 512 bytes, in the file. */
export function sampleStub(over: SampleStub = {}): Uint8Array {
  const { machine = 0x8664, magic = 0x20b, sections = SECTIONS, headerBytes = 1024, certificate = [0, 0] } = over;
  const file = new Uint8Array(headerBytes + sections.length * 512);
  file.set(Buffer.from("MZ"), 0);
  file.set(Buffer.from("PE"), 64);
  putFields(file, "sample", [
    ["e_lfanew", 60, "u32le", 64],
    ["machine", COFF, "u16le", machine],
    ["numberOfSections", COFF + 2, "u16le", sections.length],
    ["timeDateStamp", COFF + 4, "u32le", 0x6553_f100],
    ["sizeOfOptionalHeader", COFF + 16, "u16le", 240],
    ["magic", OPTIONAL, "u16le", magic],
    ["sizeOfCode", OPTIONAL + 4, "u32le", 512],
    ["sizeOfInitializedData", OPTIONAL + 8, "u32le", 1024],
    ["imageBase", OPTIONAL + 24, "u64le", 0x1_4df9_0000n],
    ["sectionAlignment", OPTIONAL + 32, "u32le", 4096],
    ["fileAlignment", OPTIONAL + 36, "u32le", 512],
    ["sizeOfImage", OPTIONAL + 56, "u32le", 4096 * (sections.length + 1)],
    ["sizeOfHeaders", OPTIONAL + 60, "u32le", headerBytes],
    ["checkSum", OPTIONAL + 64, "u32le", 77],
    ["dllCharacteristics", OPTIONAL + 70, "u16le", 0x160],
    ["numberOfRvaAndSizes", OPTIONAL + 108, "u32le", 16],
    ["certificateOffset", OPTIONAL + 144, "u32le", certificate[0]],
    ["certificateSize", OPTIONAL + 148, "u32le", certificate[1]],
  ]);
  sections.forEach(({ name, text }, i) => {
    const [at, raw] = [TABLE + i * 40, headerBytes + i * 512];
    file.set(Buffer.from(name), at);
    file.set(Buffer.from(text), raw);
    putFields(file, "sample", [
      ["virtualSize", at + 8, "u32le", text.length],
      ["virtualAddress", at + 12, "u32le", 4096 * (i + 1)],
      ["rawSize", at + 16, "u32le", 512],
      ["rawOffset", at + 20, "u32le", raw],
      ["characteristics", at + 36, "u32le", 0x4000_0040],
    ]);
  });
  return file;
}
