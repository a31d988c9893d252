// SPDX-License-Identifier: Apache-2.0
// Assembles an unsigned Unified Kernel Image: systemd-stub with sections appended. Contents stay extents.
// Spec: UAPI.5 Unified Kernel Image; Microsoft PE Format, "Optional Header" and "Section Table"; systemd-stub(7).
// Each section's raw data reaches to the next one's: a gap in the file would make Authenticode hash its tail twice,
// where signers and firmwares disagree. Left out: repeated sections (`.profile`, `.dtbauto`), moving the stub's code.
import { FactoryError } from "../errors.ts";
import { asciiBytes, putFields } from "./bytes.ts";
import { bytesLayout, padLayout, placeLayouts, roundUp } from "./extent.ts";
import type { Layout } from "./extent.ts";
import { PE_NX_COMPAT, PE_SECTION_HEADER_BYTES, parsePe, peSectionBytes } from "./pe.ts";
import type { PeImage, PeMachine, PeSection } from "./pe.ts";
import { literalBytes, mergeSbat } from "./sbat.ts";

export interface UkiSection {
  /** A dot and up to seven lower-case letters or digits, such as `.linux`. */
  readonly name: string;
  readonly content: Layout;
}

export interface UkiRequest {
  /** linuxx64.efi.stub of systemd: PE32+, unsigned. */
  readonly stub: Uint8Array;
  /** In file order. `.sbat` is merged into the stub's own and must be literal bytes. */
  readonly sections: readonly UkiSection[];
  /** What the stub must be for; x86-64 when left out. */
  readonly machine?: PeMachine | undefined;
  /** Appended sections start at multiples of this in the file, so that GRUB and ISO9660 can point at them. 4096. */
  readonly payloadAlignment?: 512 | 2048 | 4096 | undefined;
  /** False when the kernel's own PE header lacks NX_COMPAT: the UKI must then not claim it either. True. */
  readonly nxCompatible?: boolean | undefined;
}

/** A section's content within the file, in bytes. */
export interface PlacedSection {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

export interface Uki {
  /** Its length is a multiple of 512, so a certificate table can follow at once. */
  readonly layout: Layout;
  /** The stub's `.sbat`, then the appended ones in file order. */
  readonly sections: readonly PlacedSection[];
}

type Appended = PeSection & { readonly content: Layout };

const CODE_READ = 0x6000_0020; // CNT_CODE | MEM_EXECUTE | MEM_READ
const DATA_READ = 0x4000_0040; // CNT_INITIALIZED_DATA | MEM_READ

/**
 * Throws FORMAT_INVALID for a stub that is no unsigned PE32+ image for `machine` with its sections in order,
 * LAYOUT_INVALID for section names that are malformed, repeated or already in the stub, and for empty contents, and
 * LAYOUT_OVERFLOW when the section table, `.sbat` or the 4 GiB of a PE image have no room.
 */
export function assembleUki(request: UkiRequest): Uki {
  const stub = Uint8Array.from(request.stub);
  const image = parsePe(stub);
  checkStub(image, request);
  checkSections(image, request.sections);
  const extra = request.sections.find((s) => s.name === ".sbat" && stubHas(image, s.name));
  const kept = extra === undefined ? image.sections : mergeIntoStub(stub, image, extra);
  const alignment = request.payloadAlignment ?? 4096;
  const appended = placeSections(
    image,
    kept,
    request.sections.filter((s) => s !== extra),
    alignment,
  );
  writeHeaders(stub, image, closeGaps([...kept, ...appended]), request.nxCompatible ?? true);
  const last = appended.at(-1);
  const length = last === undefined ? stub.length : last.rawOffset + last.rawSize;
  const parts = appended.map((s) => ({ what: s.name, offset: s.rawOffset, layout: s.content }));
  const layout = placeLayouts(length, [{ what: "stub", offset: 0, layout: bytesLayout(stub) }, ...parts]);
  const named = [...kept.filter((s) => s.name === ".sbat"), ...appended];
  const sections = named.map((s) => ({ name: s.name, offset: s.rawOffset, length: s.virtualSize }));
  return { layout: padLayout(layout, 8), sections };
}

function checkStub(image: PeImage, { stub, machine = "x86-64" }: UkiRequest): void {
  if (image.machine !== machine) throw refuse("FORMAT_INVALID", "stub machine", image.machine, machine);
  if (image.certificateTable.size > 0) throw refuse("FORMAT_INVALID", "stub signature", "present", "an unsigned stub");
  let [virtualEnd, rawEnd] = [image.sizeOfHeaders, image.sizeOfHeaders];
  for (const section of image.sections) {
    if (section.virtualAddress < virtualEnd || section.rawOffset < rawEnd) {
      throw refuse("FORMAT_INVALID", "stub section order", section.name, "sections in ascending order, all with data");
    }
    virtualEnd = section.virtualAddress + section.virtualSize;
    rawEnd = section.rawOffset + section.rawSize;
  }
  if (image.sections.length === 0 || rawEnd !== stub.length) {
    throw refuse("FORMAT_INVALID", "stub length", stub.length, `${rawEnd}, the end of its last section`);
  }
}

function checkSections(image: PeImage, sections: readonly UkiSection[]): void {
  const seen = new Set(image.sections.map((s) => s.name).filter((name) => name !== ".sbat"));
  for (const { name, content } of sections) {
    if (!/^\.[a-z0-9]{1,7}$/.test(name)) {
      throw refuse("LAYOUT_INVALID", "section name", name, "a dot and 1 to 7 lower-case letters or digits");
    }
    if (seen.has(name)) throw refuse("LAYOUT_INVALID", "section", name, "each section once, and none of the stub's");
    if (content.length === 0) throw refuse("LAYOUT_INVALID", `section ${name}`, 0, "content of 1 byte or more");
    seen.add(name);
  }
}

/** Rewrites `.sbat` in place, in `stub`, and returns the stub's sections with its new size. */
function mergeIntoStub(stub: Uint8Array, image: PeImage, extra: UkiSection): readonly PeSection[] {
  return image.sections.map((section) => {
    if (section.name !== ".sbat") return section;
    const merged = mergeSbat(peSectionBytes(stub, section), literalBytes(".sbat", extra.content));
    if (merged.length > section.rawSize || merged.length > image.sectionAlignment) {
      throw refuse(
        "LAYOUT_OVERFLOW",
        "section .sbat",
        merged.length,
        `at most ${section.rawSize} bytes, the stub's room for it`,
      );
    }
    stub.fill(0, section.rawOffset, section.rawOffset + section.rawSize);
    stub.set(merged, section.rawOffset);
    return { ...section, virtualSize: merged.length };
  });
}

function placeSections(
  image: PeImage,
  kept: readonly PeSection[],
  sections: readonly UkiSection[],
  alignment: number,
): readonly Appended[] {
  const last = kept.at(-1);
  let virtualEnd = last === undefined ? 0 : last.virtualAddress + Math.max(last.virtualSize, last.rawSize);
  let rawEnd = last === undefined ? 0 : last.rawOffset + last.rawSize;
  return sections.map(({ name, content }) => {
    const rawOffset = roundUp(rawEnd, Math.max(alignment, image.fileAlignment));
    const virtualAddress = roundUp(virtualEnd, image.sectionAlignment);
    const rawSize = roundUp(content.length, image.fileAlignment);
    [virtualEnd, rawEnd] = [virtualAddress + rawSize, rawOffset + rawSize];
    const characteristics = name === ".linux" ? CODE_READ : DATA_READ;
    return { name, content, virtualAddress, virtualSize: content.length, rawOffset, rawSize, characteristics };
  });
}

/** Lets the raw data of each section reach to that of the next; loaders read no more than `virtualSize` of it. */
function closeGaps(sections: readonly PeSection[]): readonly PeSection[] {
  return sections.map((section, i) => {
    const next = sections[i + 1];
    return next === undefined ? section : { ...section, rawSize: next.rawOffset - section.rawOffset };
  });
}

function writeHeaders(stub: Uint8Array, image: PeImage, sections: readonly PeSection[], nxCompatible: boolean): void {
  const { coffHeader: coff, optionalHeader: opt, sectionTable, checkSum } = image.offsets;
  const tableEnd = sectionTable + sections.length * PE_SECTION_HEADER_BYTES;
  if (tableEnd > image.sizeOfHeaders) {
    throw refuse(
      "LAYOUT_OVERFLOW",
      "section table end",
      tableEnd,
      `${image.sizeOfHeaders} or less, the room in the stub's headers`,
    );
  }
  const added = sections.slice(image.sections.length);
  const grown = (code: boolean): number =>
    added.filter((s) => (s.characteristics === CODE_READ) === code).reduce((sum, s) => sum + s.rawSize, 0);
  const end = Math.max(...sections.map((s) => s.virtualAddress + s.virtualSize));
  const flags = nxCompatible ? image.dllCharacteristics : image.dllCharacteristics & ~PE_NX_COMPAT;
  putFields(stub, "PE header", [
    ["numberOfSections", coff + 2, "u16le", sections.length],
    ["timeDateStamp", coff + 4, "u32le", 0], //                    fixed: the stub carries its build time
    ["sizeOfCode", opt + 4, "u32le", image.sizeOfCode + grown(true)],
    ["sizeOfInitializedData", opt + 8, "u32le", image.sizeOfInitializedData + grown(false)],
    ["sizeOfImage", opt + 56, "u32le", roundUp(end, image.sectionAlignment)],
    ["checkSum", checkSum, "u32le", 0], //                         firmware ignores it; signing would change it
    ["dllCharacteristics", opt + 70, "u16le", flags],
  ]);
  sections.forEach((s, i) => {
    const start = sectionTable + i * PE_SECTION_HEADER_BYTES;
    putSection(stub.subarray(start, start + PE_SECTION_HEADER_BYTES), s);
  });
}

function putSection(record: Uint8Array, section: PeSection): void {
  record.fill(0); // pointers to relocations and line numbers, 24..35, are for object files
  record.set(asciiBytes(section.name), 0); // 0..7
  putFields(record, `PE section ${section.name}`, [
    ["virtualSize", 8, "u32le", section.virtualSize],
    ["virtualAddress", 12, "u32le", section.virtualAddress],
    ["sizeOfRawData", 16, "u32le", section.rawSize],
    ["pointerToRawData", 20, "u32le", section.rawOffset],
    ["characteristics", 36, "u32le", section.characteristics],
  ]);
}

function stubHas(image: PeImage, name: string): boolean {
  return image.sections.some((section) => section.name === name);
}

function refuse(
  code: "FORMAT_INVALID" | "LAYOUT_INVALID" | "LAYOUT_OVERFLOW",
  field: string,
  found: string | number,
  expected: string,
): FactoryError {
  const fix = code === "FORMAT_INVALID" ? "take systemd's linuxx64.efi.stub as it is packaged" : "correct the sections";
  return new FactoryError({ code, field: `UKI ${field}`, found, expected, fix });
}
