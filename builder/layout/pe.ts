// SPDX-License-Identifier: Apache-2.0
// Reads the headers of a PE32+ image: UEFI programs, systemd-stub, UKIs, kernels. Only what signing, assembling and
// comparing need. Spec: Microsoft PE Format, "COFF File Header", "Optional Header", "Section Table".
// Left out: PE32, symbols, data directories other than the certificate table. Limit: 96 sections, as Windows loads.
import { FactoryError } from "../errors.ts";
import { viewOf } from "./bytes.ts";

export type PeMachine = "x86-64" | "aarch64";

/** All offsets and sizes in bytes; `virtualAddress` relative to the image base. */
export interface PeSection {
  readonly name: string;
  readonly virtualAddress: number;
  /** Bytes of content. */
  readonly virtualSize: number;
  readonly rawOffset: number;
  /** Bytes in the file, padding included; may exceed `virtualSize`, or be less (the rest is zeros). */
  readonly rawSize: number;
  readonly characteristics: number;
}

export interface PeImage {
  readonly machine: PeMachine;
  readonly imageBase: bigint;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly sizeOfCode: number;
  readonly sizeOfInitializedData: number;
  /** IMAGE_DLLCHARACTERISTICS_*; bit 0x100 is NX_COMPAT. */
  readonly dllCharacteristics: number;
  /** Offset and size of the Authenticode certificates; both 0 when unsigned. */
  readonly certificateTable: { readonly offset: number; readonly size: number };
  /** Where writers patch: file offsets of header parts. */
  readonly offsets: PeOffsets;
  readonly sections: readonly PeSection[];
}

export interface PeOffsets {
  readonly coffHeader: number;
  readonly optionalHeader: number;
  readonly checkSum: number;
  /** The certificate table's entry of the data directory: offset u32, size u32. */
  readonly certificateDirectory: number;
  readonly sectionTable: number;
}

export const PE_SECTION_HEADER_BYTES = 40;
export const PE_NX_COMPAT = 0x0100;

const MOST_SECTIONS = 96;
const CERTIFICATE_DIRECTORY = 4; // index of the certificate table in the data directory
const MACHINES: ReadonlyMap<number, PeMachine> = new Map([
  [0x8664, "x86-64"],
  [0xaa64, "aarch64"],
]);

/**
 * `head` is the file's beginning, at least through its section table; `fileBytes` the file's length, when `head` is not
 * all of it. Throws FORMAT_INVALID, naming the field, for anything that is no well-formed PE32+ image whose sections
 * lie within the file.
 */
export function parsePe(head: Uint8Array, fileBytes: number = head.length): PeImage {
  const offsets = findHeaders(head);
  const view = viewOf(head);
  const { coffHeader: coff, optionalHeader: opt } = offsets;
  const machine = MACHINES.get(view.getUint16(coff, true));
  if (machine === undefined) throw refuse("machine", view.getUint16(coff, true), "0x8664 (x86-64) or 0xaa64 (aarch64)");
  const image: PeImage = {
    machine,
    sizeOfCode: view.getUint32(opt + 4, true),
    sizeOfInitializedData: view.getUint32(opt + 8, true),
    imageBase: view.getBigUint64(opt + 24, true),
    sectionAlignment: view.getUint32(opt + 32, true),
    fileAlignment: view.getUint32(opt + 36, true),
    sizeOfImage: view.getUint32(opt + 56, true),
    sizeOfHeaders: view.getUint32(opt + 60, true),
    dllCharacteristics: view.getUint16(opt + 70, true),
    certificateTable: readCertificateTable(view, offsets, fileBytes),
    offsets,
    sections: readSections(head, offsets.sectionTable, view.getUint16(coff + 2, true)),
  };
  checkAlignment("sectionAlignment", image.sectionAlignment);
  checkAlignment("fileAlignment", image.fileAlignment);
  for (const section of image.sections) checkSection(section, image, fileBytes);
  return image;
}

/** The bytes that a section holds in memory, as the loader sees them, out of the whole file. */
export function peSectionBytes(file: Uint8Array, section: PeSection): Uint8Array {
  return file.subarray(section.rawOffset, section.rawOffset + Math.min(section.virtualSize, section.rawSize));
}

/** Follows e_lfanew to the headers and checks that all of them lie within `head`. */
function findHeaders(head: Uint8Array): PeOffsets {
  const view = viewOf(head);
  if (head.length < 64 || view.getUint16(0, false) !== 0x4d5a) throw refuse("DOS signature", head.length, '"MZ"');
  const signature = view.getUint32(60, true); // e_lfanew
  if (signature + 24 > head.length) throw refuse("header offset", signature, "an offset within the file's head");
  if (view.getUint32(signature, false) !== 0x5045_0000)
    throw refuse("signature", view.getUint32(signature, false), '"PE"');
  const coffHeader = signature + 4;
  const optionalHeader = coffHeader + 20;
  const optionalBytes = view.getUint16(coffHeader + 16, true);
  const sectionTable = optionalHeader + optionalBytes;
  const end = sectionTable + view.getUint16(coffHeader + 2, true) * PE_SECTION_HEADER_BYTES;
  if (optionalBytes < 112 || end > head.length)
    throw refuse("optional header size", optionalBytes, "headers within the file's head");
  if (view.getUint16(optionalHeader, true) !== 0x020b)
    throw refuse("magic", view.getUint16(optionalHeader, true), "0x20b (PE32+)");
  const directories = view.getUint32(optionalHeader + 108, true);
  if (directories <= CERTIFICATE_DIRECTORY || 112 + directories * 8 > optionalBytes) {
    throw refuse("data directories", directories, "5 or more, within the optional header");
  }
  const certificateDirectory = optionalHeader + 112 + CERTIFICATE_DIRECTORY * 8;
  return { coffHeader, optionalHeader, checkSum: optionalHeader + 64, certificateDirectory, sectionTable };
}

function readCertificateTable(view: DataView, offsets: PeOffsets, fileBytes: number): PeImage["certificateTable"] {
  const offset = view.getUint32(offsets.certificateDirectory, true);
  const size = view.getUint32(offsets.certificateDirectory + 4, true);
  if (offset + size > fileBytes)
    throw refuse("certificate table end", offset + size, `an end within ${fileBytes} bytes`);
  return { offset, size };
}

function readSections(head: Uint8Array, table: number, count: number): readonly PeSection[] {
  if (count > MOST_SECTIONS) throw refuse("number of sections", count, `at most ${MOST_SECTIONS}`);
  return Array.from({ length: count }, (_, i) => {
    const start = table + i * PE_SECTION_HEADER_BYTES;
    return readSection(head.subarray(start, start + PE_SECTION_HEADER_BYTES));
  });
}

function readSection(record: Uint8Array): PeSection {
  const view = viewOf(record);
  return {
    name: Buffer.from(record.subarray(0, 8)).toString("latin1").replace(/\0+$/, ""),
    virtualSize: view.getUint32(8, true),
    virtualAddress: view.getUint32(12, true),
    rawSize: view.getUint32(16, true),
    rawOffset: view.getUint32(20, true),
    characteristics: view.getUint32(36, true),
  };
}

function checkSection(section: PeSection, image: PeImage, fileBytes: number): void {
  const end = section.rawOffset + section.rawSize;
  if (section.rawSize > 0 && end > fileBytes)
    throw refuse(`section ${section.name}`, end, `an end within ${fileBytes} bytes`);
  const memory = section.virtualAddress + section.virtualSize;
  if (memory > image.sizeOfImage)
    throw refuse(`section ${section.name}`, memory, `an end within SizeOfImage ${image.sizeOfImage}`);
}

function checkAlignment(field: string, value: number): void {
  const isPowerOfTwo = value > 0 && Number.isInteger(Math.log2(value));
  if (!isPowerOfTwo || value < 512 || value > 65536) throw refuse(field, value, "a power of two from 512 to 65536");
}

function refuse(field: string, found: unknown, expected: string): FactoryError {
  const fix = "take an x86-64 or aarch64 UEFI program";
  return new FactoryError({ code: "FORMAT_INVALID", field: `PE ${field}`, found, expected, fix });
}
