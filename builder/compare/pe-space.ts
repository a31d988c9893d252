// SPDX-License-Identifier: Apache-2.0
// A PE image (a UKI, a kernel, a boot loader) as a space: headers by field, sections, certificates.
// Spec: Microsoft PE Format; UAPI.5 for the sections of a UKI.
import { PE_SECTION_HEADER_BYTES, parsePe } from "../layout/pe.ts";
import type { PeImage, PeSection } from "../layout/pe.ts";
import { readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import type { FieldTable, Listed, OpenSpace, Piece, Space } from "./space.ts";
import { leafOf, once } from "./space.ts";
import { subImage } from "./sub-image.ts";

const HEAD_BYTES = 64 * 1024;

const COFF_FIELDS: FieldTable = [
  ["machine", 0, 2],
  ["number of sections", 2, 2],
  ["time stamp", 4, 4],
  ["symbol table", 8, 4],
  ["number of symbols", 12, 4],
  ["optional header size", 16, 2],
  ["characteristics", 18, 2],
];

const OPTIONAL_FIELDS: FieldTable = [
  ["magic", 0, 2],
  ["linker version", 2, 2],
  ["size of code", 4, 4],
  ["size of initialized data", 8, 4],
  ["size of uninitialized data", 12, 4],
  ["entry point", 16, 4],
  ["base of code", 20, 4],
  ["image base", 24, 8],
  ["section alignment", 32, 4],
  ["file alignment", 36, 4],
  ["versions", 40, 16],
  ["size of image", 56, 4],
  ["size of headers", 60, 4],
  ["checksum", 64, 4],
  ["subsystem", 68, 2],
  ["DLL characteristics", 70, 2],
  ["certificate directory", 144, 8],
];

const SECTION_FIELDS: FieldTable = [
  ["name", 0, 8],
  ["virtual size", 8, 4],
  ["virtual address", 12, 4],
  ["raw size", 16, 4],
  ["raw offset", 20, 4],
  ["relocations", 24, 12],
  ["characteristics", 36, 4],
];

/** Throws FORMAT_INVALID. */
export async function openPe(image: ReadableImage, open: OpenSpace): Promise<Space> {
  const head = await readRange(image, "PE headers", 0, Math.min(HEAD_BYTES, image.length));
  const pe = parsePe(head, image.length);
  const sections = pe.sections.map((section) => openSection(image, section, open));
  const certificates: Piece = {
    name: "PE certificate table",
    runs: [{ offset: pe.certificateTable.offset, length: pe.certificateTable.size }],
  };
  const commandLine = await sectionText(image, pe, ".cmdline");
  return {
    image,
    format: "pe",
    pieces: [...headerPieces(pe), ...sections.map((s) => s.piece), certificates],
    listing: sections.map((s) => s.listed),
    values: {
      ...(commandLine === undefined ? {} : { "kernel arguments": commandLine }),
      ...kernelVersion(await sectionText(image, pe, ".uname")),
      signed: pe.certificateTable.size > 0 ? "yes" : "no",
    },
  };
}

function headerPieces(pe: PeImage): readonly Piece[] {
  const { coffHeader, optionalHeader, sectionTable } = pe.offsets;
  const sectionField = leafOf(SECTION_FIELDS);
  const leaf = (offset: number): string => {
    const section = pe.sections[Math.floor(offset / PE_SECTION_HEADER_BYTES)];
    return `${section?.name ?? "section"} ${sectionField(offset % PE_SECTION_HEADER_BYTES)}`;
  };
  return [
    { name: "DOS header", runs: [{ offset: 0, length: coffHeader }] },
    { name: "COFF header", runs: [{ offset: coffHeader, length: 20 }], leaf: leafOf(COFF_FIELDS) },
    {
      name: "PE optional header",
      runs: [{ offset: optionalHeader, length: sectionTable - optionalHeader }],
      leaf: leafOf(OPTIONAL_FIELDS),
    },
    {
      name: "PE section table",
      runs: [{ offset: sectionTable, length: pe.sections.length * PE_SECTION_HEADER_BYTES }],
      leaf,
    },
  ];
}

function openSection(image: ReadableImage, section: PeSection, open: OpenSpace): { piece: Piece; listed: Listed } {
  const { name, rawOffset, rawSize, virtualSize } = section;
  const length = Math.min(rawSize, virtualSize);
  const content = subImage(image, name, [{ offset: rawOffset, length }]);
  const inner = once(() => open(content));
  return {
    piece: { name: `PE section ${name}`, runs: [{ offset: rawOffset, length: rawSize }], inner },
    listed: { path: name, kind: "section", size: length, content, inner },
  };
}

const MAX_TEXT_BYTES = 64 * 1024;

/** The text of a section; undefined when there is none or it is too long to be one. */
async function sectionText(image: ReadableImage, pe: PeImage, name: string): Promise<string | undefined> {
  const section = pe.sections.find((s) => s.name === name);
  if (section === undefined) return undefined;
  const length = Math.min(section.virtualSize, section.rawSize);
  if (length > MAX_TEXT_BYTES) return undefined;
  const bytes = await readRange(image, name, section.rawOffset, length);
  return Buffer.from(bytes).toString("utf8").replace(/\0+$/, "");
}

function kernelVersion(text: string | undefined): Record<string, string> {
  return text === undefined ? {} : { "kernel version": text };
}
