// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { parsePe, peSectionBytes } from "../../builder/layout/pe.ts";
import { STUB_SBAT, sampleStub } from "./pe-samples.ts";

test("parsePe reads headers and sections", () => {
  const image = parsePe(sampleStub());
  const { sections, ...headers } = image;
  assert.deepEqual(headers, {
    machine: "x86-64",
    imageBase: 0x1_4df9_0000n,
    sectionAlignment: 4096,
    fileAlignment: 512,
    sizeOfImage: 16384,
    sizeOfHeaders: 1024,
    sizeOfCode: 512,
    sizeOfInitializedData: 1024,
    dllCharacteristics: 0x160,
    certificateTable: { offset: 0, size: 0 },
    offsets: { coffHeader: 68, optionalHeader: 88, checkSum: 152, certificateDirectory: 232, sectionTable: 328 },
  });
  assert.deepEqual(
    sections.map((s) => [s.name, s.virtualAddress, s.virtualSize, s.rawOffset, s.rawSize]),
    [
      [".text", 4096, 4, 1024, 512],
      [".sbat", 8192, STUB_SBAT.length, 1536, 512],
      [".sdmagic", 12288, 28, 2048, 512],
    ],
  );
});

test("parsePe takes the head of a longer file, given its length", () => {
  const stub = sampleStub();
  assert.deepEqual(parsePe(stub.subarray(0, 448), stub.length), parsePe(stub));
  assert.throws(() => parsePe(stub.subarray(0, 448)), { code: "FORMAT_INVALID" }); // its sections lie outside
});

test("parsePe knows aarch64", () => {
  assert.equal(parsePe(sampleStub({ machine: 0xaa64 })).machine, "aarch64");
});

test("peSectionBytes gives a section's content without its padding", () => {
  const stub = sampleStub();
  const [, sbat] = parsePe(stub).sections;
  assert.equal(sbat && Buffer.from(peSectionBytes(stub, sbat)).toString(), STUB_SBAT);
});

const patched = (at: number, ...bytes: readonly number[]): Uint8Array => {
  const stub = sampleStub();
  stub.set(bytes, at);
  return stub;
};
const REFUSED: readonly (readonly [name: string, field: RegExp, bytes: Uint8Array])[] = [
  ["nothing", /DOS signature/, new Uint8Array()],
  ["a file that is no program", /DOS signature/, new Uint8Array(512)],
  ["headers past the end", /header offset/, patched(60, 0xff, 0xff, 0xff, 0xff)],
  ["another signature", /signature/, patched(64, 0x4e, 0x45)],
  ["i386", /machine/, sampleStub({ machine: 0x14c })],
  ["PE32", /magic/, sampleStub({ magic: 0x10b })],
  ["an optional header that is too short", /optional header size/, patched(68 + 16, 100, 0)],
  ["more sections than the file holds", /optional header size/, patched(68 + 2, 0xff, 0xff)],
  ["no certificate directory", /data directories/, patched(88 + 108, 4, 0, 0, 0)],
  ["directories beyond the optional header", /data directories/, patched(88 + 108, 17, 0, 0, 0)],
  ["certificates past the end", /certificate table/, sampleStub({ certificate: [2560, 8] })],
  ["an alignment that is no power of two", /sectionAlignment/, patched(88 + 32, 1, 0x10, 0, 0)],
  ["an alignment of zero", /fileAlignment/, patched(88 + 36, 0, 0, 0, 0)],
  ["a section past the end of the file", /section \.text/, patched(328 + 16, 0, 0x20, 0, 0)],
  ["a section past SizeOfImage", /section \.text/, patched(328 + 8, 0, 0, 1, 0)],
];

for (const [name, field, bytes] of REFUSED) {
  test(`parsePe refuses ${name}`, () => {
    assert.throws(
      () => parsePe(bytes),
      (error) =>
        error instanceof FactoryError && error.code === "FORMAT_INVALID" && field.test(String(error.details.field)),
    );
  });
}

test("parsePe answers damaged and random bytes with a FactoryError and nothing else", () => {
  const patch = fc.record({ at: fc.nat({ max: 460 }), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) });
  const damaged = fc.array(patch, { maxLength: 6 }).map((patches) => {
    const stub = sampleStub();
    for (const { at, bytes } of patches) stub.set(bytes, at);
    return stub;
  });
  const cut = fc.tuple(damaged, fc.nat({ max: 2560 })).map(([bytes, length]) => bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.oneof(damaged, cut, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      try {
        for (const section of parsePe(bytes).sections) peSectionBytes(bytes, section);
      } catch (error) {
        assert.ok(error instanceof FactoryError && error.code === "FORMAT_INVALID", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
