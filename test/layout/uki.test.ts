// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Layout } from "../../builder/layout/extent.ts";
import { EMPTY, blobLayout, bytesLayout } from "../../builder/layout/extent.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { parsePe, peSectionBytes } from "../../builder/layout/pe.ts";
import { assembleUki } from "../../builder/layout/uki.ts";
import type { UkiRequest } from "../../builder/layout/uki.ts";
import { layoutBytes, patternBytes } from "./layout-image.ts";
import { STUB_SBAT, sampleStub } from "./pe-samples.ts";

const text = (content: string): Layout => bytesLayout(Buffer.from(content));
const REQUEST: UkiRequest = {
  stub: sampleStub(),
  sections: [
    { name: ".osrel", content: text("ID=dodeka\n") },
    { name: ".cmdline", content: text("console=ttyS0") },
    { name: ".linux", content: bytesLayout(patternBytes(9000, 1)) },
    { name: ".initrd", content: bytesLayout(patternBytes(4096, 2)) },
  ],
};

test("assembleUki places the contents, page-aligned, and tells where", () => {
  const { layout, sections } = assembleUki(REQUEST);
  assert.deepEqual(sections, [
    { name: ".sbat", offset: 1536, length: STUB_SBAT.length },
    { name: ".osrel", offset: 4096, length: 10 },
    { name: ".cmdline", offset: 8192, length: 13 },
    { name: ".linux", offset: 12288, length: 9000 },
    { name: ".initrd", offset: 24576, length: 4096 },
  ]);
  assert.equal(layout.length, 28672);
  assert.equal(Buffer.compare(layoutBytes(layout, 12288, 9000), patternBytes(9000, 1)), 0);
});

test("assembleUki leaves no gap between raw data, nor between pages in memory", () => {
  const image = parsePe(layoutBytes(assembleUki(REQUEST).layout));
  image.sections.forEach((section, i) => {
    const next = image.sections[i + 1];
    if (next === undefined) return;
    assert.equal(section.rawOffset + section.rawSize, next.rawOffset, section.name);
    assert.ok(section.virtualAddress + section.virtualSize <= next.virtualAddress, section.name);
    assert.equal(next.virtualAddress % 4096, 0);
  });
  const last = image.sections.at(-1);
  assert.equal(image.sizeOfImage, Math.ceil(((last?.virtualAddress ?? 0) + (last?.virtualSize ?? 0)) / 4096) * 4096);
});

test("assembleUki updates the sizes and clears what depends on build and signing", () => {
  const bytes = layoutBytes(assembleUki(REQUEST).layout);
  const image = parsePe(bytes);
  const file = Buffer.from(bytes);
  assert.deepEqual([file.readUInt32LE(72), file.readUInt32LE(image.offsets.checkSum)], [0, 0]);
  assert.equal(image.sizeOfCode, 512 + 12288); // .linux counts as code, up to .initrd
  assert.equal(image.sizeOfInitializedData, 1024 + 4096 + 4096 + 4096); // page-padded .osrel and .cmdline, .initrd
  assert.deepEqual(
    image.sections.map((s) => s.characteristics).slice(3),
    [0x4000_0040, 0x4000_0040, 0x6000_0020, 0x4000_0040],
  );
});

test("assembleUki drops NX_COMPAT when the kernel lacks it", () => {
  const flags = (nxCompatible: boolean): number =>
    parsePe(layoutBytes(assembleUki({ ...REQUEST, nxCompatible }).layout)).dllCharacteristics;
  assert.deepEqual([flags(true), flags(false)], [0x160, 0x060]);
});

test("assembleUki merges .sbat into the stub's own", () => {
  const extra = text("sbat,1,Other header,x,1,y\ndodeka,1,Dodeka,dodeka,1,https://example.org/dodeka\n");
  const { layout, sections } = assembleUki({ ...REQUEST, sections: [{ name: ".sbat", content: extra }] });
  const bytes = layoutBytes(layout);
  const sbat = parsePe(bytes).sections.find((s) => s.name === ".sbat");
  const want = `${STUB_SBAT}dodeka,1,Dodeka,dodeka,1,https://example.org/dodeka\n`;
  assert.equal(sbat && Buffer.from(peSectionBytes(bytes, sbat)).toString(), want);
  assert.deepEqual(sections, [{ name: ".sbat", offset: 1536, length: want.length }]);
  assert.ok(bytes.subarray(1536 + want.length, 2048).every((byte) => byte === 0));
});

test("assembleUki does not change the caller's stub", () => {
  const stub = sampleStub();
  assembleUki({ ...REQUEST, stub });
  assert.equal(Buffer.compare(stub, sampleStub()), 0);
});

test("assembleUki keeps blobs as extents", () => {
  const digest = sha256("kernel");
  const { layout } = assembleUki({
    ...REQUEST,
    sections: [{ name: ".linux", content: blobLayout({ digest, size: 5 << 20 }) }],
  });
  assert.deepEqual(layout.extents.at(-1), {
    offset: 4096,
    length: 5 << 20,
    source: { kind: "blob", digest, offset: 0 },
  });
});

test("assembleUki gives well-formed images for contents of any length and alignment", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lengths, fc.constantFrom(512, 2048, 4096), (sizes, payloadAlignment) => {
      const contents = sizes.map((size, i) => ({ name: `.s${i}`, content: bytesLayout(patternBytes(size, i)) }));
      const { layout, sections } = assembleUki({ stub: sampleStub(), sections: contents, payloadAlignment });
      const bytes = layoutBytes(layout);
      const parsed = parsePe(bytes).sections.slice(3);
      assert.equal(layout.length % 8, 0);
      parsed.forEach((section, i) => {
        assert.equal(Buffer.compare(peSectionBytes(bytes, section), patternBytes(sizes[i] ?? 0, i)), 0);
        assert.equal(section.rawOffset % payloadAlignment, 0);
        assert.equal(section.rawOffset, sections[i + 1]?.offset);
      });
    }),
    { numRuns: 60 },
  );
});

const added = (name: string, content: Layout): UkiRequest => ({ ...REQUEST, sections: [{ name, content }] });
const many = Array.from({ length: 15 }, (_, i) => ({ name: `.x${i}`, content: text("x") }));
const REFUSED: readonly (readonly [name: string, code: string, request: UkiRequest])[] = [
  ["a stub for another machine", "FORMAT_INVALID", { ...REQUEST, stub: sampleStub({ machine: 0xaa64 }) }],
  ["a signed stub", "FORMAT_INVALID", { ...REQUEST, stub: sampleStub({ certificate: [2048, 512] }) }],
  [
    "a stub with bytes behind its sections",
    "FORMAT_INVALID",
    { ...REQUEST, stub: Buffer.concat([sampleStub(), new Uint8Array(8)]) },
  ],
  ["a stub without sections", "FORMAT_INVALID", { ...REQUEST, stub: sampleStub({ sections: [] }) }],
  [
    "a section twice",
    "LAYOUT_INVALID",
    { ...REQUEST, sections: [...REQUEST.sections, { name: ".linux", content: text("x") }] },
  ],
  [
    ".sbat twice",
    "LAYOUT_INVALID",
    {
      ...REQUEST,
      sections: [
        { name: ".sbat", content: text("a,1,") },
        { name: ".sbat", content: text("a,1,") },
      ],
    },
  ],
  ["a section that the stub has", "LAYOUT_INVALID", added(".text", text("x"))],
  ["a name over 8 bytes", "LAYOUT_INVALID", added(".toolongs", text("x"))],
  ["a name without a dot", "LAYOUT_INVALID", added("linux", text("x"))],
  ["an empty section", "LAYOUT_INVALID", added(".linux", EMPTY)],
  ["more sections than the headers hold", "LAYOUT_OVERFLOW", { ...REQUEST, sections: many }],
  ["SBAT data over the stub's room", "LAYOUT_OVERFLOW", added(".sbat", text(`name,1,${"x".repeat(512)}\n`))],
  ["SBAT data in a blob", "LAYOUT_INVALID", added(".sbat", blobLayout({ digest: sha256("x"), size: 10 }))],
  ["SBAT data that is none", "FORMAT_INVALID", added(".sbat", text("hello\n"))],
  ["contents over 4 GiB", "LAYOUT_OVERFLOW", added(".initrd", blobLayout({ digest: sha256("x"), size: 2 ** 32 }))],
];

for (const [name, code, request] of REFUSED) {
  test(`assembleUki refuses ${name}`, () => {
    assert.throws(() => assembleUki(request), { name: "FactoryError", code });
  });
}

test("assembleUki takes an aarch64 stub when asked for one", () => {
  const stub = sampleStub({ machine: 0xaa64 });
  assert.equal(parsePe(layoutBytes(assembleUki({ ...REQUEST, stub, machine: "aarch64" }).layout)).machine, "aarch64");
});
