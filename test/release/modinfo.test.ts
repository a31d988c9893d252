// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { moduleName, readModinfo } from "../../builder/release/modinfo.ts";
import { sampleModule } from "./elf-samples.ts";

const AHCI = [
  "license=GPL",
  "alias=pci:v*d*",
  "alias=ahci",
  "depends=libahci,dm-mod",
  "name=ahci",
  "vermagic=6.12 SMP",
];

test("readModinfo reads name, dependencies, aliases and licence", () => {
  const want = { name: "ahci", depends: ["libahci", "dm_mod"], aliases: ["pci:v*d*", "ahci"], license: "GPL" };
  assert.deepEqual(readModinfo("kernel/ahci.ko", sampleModule(AHCI)), want);
});

test("readModinfo takes the file's name for a module that does not say its own, and nothing for what is not there", () => {
  const want = { name: "dm_verity", depends: [], aliases: [], license: "" };
  assert.deepEqual(readModinfo("kernel/dm-verity.ko", sampleModule(["depends=", "no equals sign"])), want);
});

for (const [path, want] of [
  ["drivers/ata/ahci-platform.ko.xz", "ahci_platform"],
  ["a.ko", "a"],
  ["b.ko.zst", "b"],
  ["c", "c"],
] as const) {
  test(`moduleName of ${path} is ${want}`, () => assert.equal(moduleName(path), want));
}

const module = sampleModule(AHCI);

function changed(at: number, ...bytes: readonly number[]): Uint8Array {
  const file = Uint8Array.from(module);
  file.set(bytes, at);
  return file;
}

const HOSTILE: Readonly<Record<string, Uint8Array>> = {
  "an empty file": new Uint8Array(),
  "a header that is cut": module.subarray(0, 63),
  "another magic": changed(0, 0x7e),
  "a 32-bit file": changed(4, 1),
  "a big-endian file": changed(5, 2),
  "a table far outside": changed(40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  "a table that ends outside": changed(60, 0xff, 0xff),
  "sections of another size": changed(58, 40),
  "names in a section that is not there": changed(62, 9),
  "a section that ends outside": changed(module.length - 128 + 32, 0xff, 0xff, 0xff),
  "no section of that name": changed(module.length - 128, 0),
};

for (const [what, file] of Object.entries(HOSTILE)) {
  test(`readModinfo refuses ${what}`, () => {
    assert.throws(() => readModinfo("x.ko", file), { name: "FactoryError", code: "FORMAT_INVALID" });
  });
}

test("readModinfo throws nothing but FactoryError, whatever the bytes", () => {
  const damage = fc.array(fc.tuple(fc.nat(module.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(damage, fc.nat(module.length), (changes, length) => {
      const file = Uint8Array.from(module);
      for (const [at, value] of changes) file[at] = value;
      try {
        readModinfo("x.ko", file.subarray(0, length));
        readModinfo("x.ko", file);
      } catch (error) {
        assert.ok(error instanceof FactoryError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
