// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { readGoBuildInfo } from "../../sbom/go-buildinfo.ts";
import { MODULE_TEXT, buildInfoSection, elfWith, varint } from "./go-binary-sample.ts";

const read = (section: Buffer): ReturnType<typeof readGoBuildInfo> =>
  readGoBuildInfo("init", elfWith(".go.buildinfo", section));

test("a Go binary names its toolchain, modules and settings", () => {
  assert.deepEqual(read(buildInfoSection()), {
    goVersion: "go1.27.4",
    path: "example.org/os/init",
    main: { path: "example.org/os", version: "(devel)", sum: "" },
    modules: [
      { path: "github.com/Some/lib", version: "v1.2.3", sum: "h1:aaaa=" },
      { path: "example.org/fork/sys", version: "v0.1.1", sum: "h1:cccc=" }, // what replaced x/sys
    ],
    settings: { "-buildmode": "exe", "-ldflags": "-s -w", CGO_ENABLED: "0" },
  });
});

test("an ELF file without the section is no Go binary", () => {
  assert.equal(readGoBuildInfo("init", elfWith(".text", Buffer.from("code"))), undefined);
});

const header = buildInfoSection().subarray(0, 32);
const damaged: readonly { readonly name: string; readonly section: Buffer }[] = [
  { name: "no magic", section: Buffer.alloc(64) },
  { name: "shorter than its header", section: header.subarray(0, 20) },
  { name: "pointers of old Go", section: Buffer.concat([header.subarray(0, 15), Buffer.from([0]), Buffer.alloc(64)]) },
  { name: "a length beyond the section", section: Buffer.concat([header, varint(5000), Buffer.from("go1")]) },
  { name: "a length without end", section: Buffer.concat([header, Buffer.alloc(16, 0xff)]) },
  { name: "a length over the bound", section: Buffer.concat([header, varint(2 ** 27), Buffer.alloc(64)]) },
  { name: "no module text", section: Buffer.concat([header, varint(3), Buffer.from("go1"), varint(0)]) },
  { name: "no main module", section: buildInfoSection("go1.27.4", "path\tx\n") },
  { name: "a module without a version", section: buildInfoSection("go1.27.4", `${MODULE_TEXT}dep\tx\n`) },
  { name: "an unknown line", section: buildInfoSection("go1.27.4", `${MODULE_TEXT}what\tx\n`) },
  { name: "a setting without a value", section: buildInfoSection("go1.27.4", `${MODULE_TEXT}build\tx\n`) },
  { name: "no Go version", section: buildInfoSection("1.27\x01") },
];

for (const { name, section } of damaged) {
  test(`build information is refused: ${name}`, () => {
    assert.throws(() => read(section), { code: "FORMAT_INVALID" });
  });
}

test("a section that leaves the file is refused", () => {
  const elf = elfWith(".go.buildinfo", buildInfoSection());
  elf.writeBigUInt64LE(BigInt(elf.length), Number(elf.readBigUInt64LE(40)) + 64 + 32);
  assert.throws(() => readGoBuildInfo("init", elf), { code: "FORMAT_INVALID" });
});

test("whatever bytes are changed, the answer is a value or a refusal", () => {
  const elf = elfWith(".go.buildinfo", buildInfoSection());
  const changes = fc.array(fc.tuple(fc.nat(elf.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(changes, (list) => {
      const copy = Buffer.from(elf);
      for (const [at, value] of list) copy[at] = value;
      try {
        readGoBuildInfo("init", copy);
      } catch (error) {
        assert.ok(error instanceof FactoryError && error.code === "FORMAT_INVALID", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
