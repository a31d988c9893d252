// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { MACHINE_CONFIG, describeArtifact } from "../../sbom/describe.ts";
import { parseInventory } from "../../sbom/inventory.ts";
import type { Inventory } from "../../sbom/inventory.ts";
import { coverageOf } from "../../sbom/model.ts";
import { INVENTORY, OUTPUTS, PLAN, digests, measure, outputOf } from "./model-samples.ts";

const uki = (path: string): string[] => [
  `${path}!.cmdline kernel-arguments`,
  `${path}!.initrd!base dodeka`,
  `${path}!.initrd!base!init binary:stage1`,
  `${path}!.linux linux`,
  `${path}!.osrel dodeka`,
  `${path}!.uname linux`,
  `${path}!stub systemd`,
];
const root = (path: string): string[] => [
  `${path} dodeka`,
  `${path}!etc/hosts dodeka`,
  `${path}!etc/os-release dodeka`,
  `${path}!sbin/init binary:init`,
];
const esp = [
  "esp/EFI/BOOT/BOOTX64.EFI systemd",
  "esp/EFI/Linux/dodeka_1.0.0.efi dodeka",
  ...uki("esp/EFI/Linux/dodeka_1.0.0.efi"),
  ...root("esp/dodeka/r.root"),
  "esp/grub/grub.cfg dodeka",
  "esp/loader/loader.conf dodeka",
];

const WANTED: Readonly<Record<string, readonly string[]>> = {
  raw: [...esp, "mbr grub", "partition/BIOS grub", "partition/META dodeka"],
  iso: [...esp, "iso/boot/grub-cd.img grub", "mbr grub"],
  uki: [...uki("metal-amd64-uki.efi"), ...esp.map((line) => `metal-amd64-uki.efi!.initrd!${line}`)],
  kernel: ["kernel-amd64 linux"],
  initramfs: [
    "initramfs-amd64.xz!base dodeka",
    "initramfs-amd64.xz!base!init binary:stage1",
    ...esp.map((line) => `initramfs-amd64.xz!${line}`),
  ],
  cmdline: ["cmdline-metal-amd64 kernel-arguments"],
  root: root("root-amd64.img"),
};

for (const output of OUTPUTS) {
  test(`${output.kind}: every file has its owner`, () => {
    const model = describeArtifact(PLAN, output, INVENTORY, measure(output));
    assert.deepEqual(
      model.files.map((f) => `${f.path} ${f.owner}`),
      [...(WANTED[output.kind] ?? [])].sort(),
    );
    assert.equal(coverageOf(model).percent, 100);
    assert.equal(new Set(model.files.map((f) => f.path)).size, model.files.length);
  });
}

test("components are the owners and what they depend on, nothing else", () => {
  const ids = (kind: "raw" | "kernel"): string[] =>
    describeArtifact(PLAN, outputOf(kind), INVENTORY, measure(outputOf(kind))).components.map((c) => c.id);
  assert.deepEqual(ids("kernel"), ["linux"]);
  assert.ok(ids("raw").includes("pkg:golang/golang.org/x/sys@v1") && !ids("raw").includes("unused"));
});

test("kernel arguments and machine configuration appear by digest only", () => {
  const config = digests("secret: word");
  const plan = { ...PLAN, core: { ...PLAN.core, machineConfig: { digest: config.sha256, size: config.size } } };
  const { pieces } = measure(outputOf("initramfs"));
  const facts = { digest: sha256("x"), pieces: new Map([...pieces, [MACHINE_CONFIG, config]]) };
  const model = describeArtifact(plan, outputOf("initramfs"), INVENTORY, facts);
  assert.equal(model.components.find((c) => c.id === MACHINE_CONFIG)?.sha256, config.sha256);
  assert.ok(model.files.some((f) => f.path.endsWith("!dodeka/machine-config") && f.owner === MACHINE_CONFIG));
  const text = JSON.stringify(describeArtifact(PLAN, outputOf("raw"), INVENTORY, measure(outputOf("raw"))));
  assert.ok(!text.includes("quiet") && text.includes(sha256("quiet")));
});

test("licence texts are those that are named", () => {
  const model = describeArtifact(PLAN, outputOf("raw"), INVENTORY, measure(outputOf("raw")));
  assert.deepEqual(Object.keys(model.licences), ["LicenseRef-odd"]);
});

test("a file on the ESP that nobody knows stops the description", () => {
  const output = outputOf("raw");
  assert.ok(output.kind === "raw");
  const files = [...output.esp.files, { name: "EFI/odd.bin", offset: 40_960, size: 1 }];
  const odd = { ...output, esp: { ...output.esp, files } };
  assert.throws(() => describeArtifact(PLAN, odd, INVENTORY, measure(odd)), { code: "RELEASE_INVALID" });
});

test("a section that nobody knows stops the description", () => {
  const carried = { files: [], uki: [] };
  const odd = { kind: "uki", file: "x", size: 1, sections: [{ name: ".dtb", offset: 0, size: 1 }], carried } as const;
  assert.throws(() => describeArtifact(PLAN, odd, INVENTORY, measure(odd)), { code: "RELEASE_INVALID" });
});

test("the inventory of another release is refused", () => {
  const kernel = { ...digests("another kernel"), owner: "linux" };
  const other: Inventory = { ...INVENTORY, parts: { ...INVENTORY.parts, kernel } };
  const output = outputOf("kernel");
  assert.throws(() => describeArtifact(PLAN, output, other, measure(output)), { code: "RELEASE_INVALID" });
});

test("without boot code for BIOS the master boot record is the system's", () => {
  const output = outputOf("raw");
  assert.ok(output.kind === "raw");
  const partitions = output.partitions.filter((p) => p.name !== "BIOS");
  const plain = { ...output, sectorBytes: 4096, partitions };
  const model = describeArtifact(PLAN, plain, INVENTORY, measure(plain));
  assert.equal(model.files.find((f) => f.path === "mbr")?.owner, "dodeka");
});

test("an unowned file lowers coverage", () => {
  const files = INVENTORY.files.map((f) => (f.path === "sbin/init" ? { ...f, owner: "", size: 1_000_000 } : f));
  const waived = [{ path: "root:sbin/init", reason: "test" }];
  const output = outputOf("root");
  const model = describeArtifact(PLAN, output, { ...INVENTORY, files, waived }, measure(output));
  const { percent, ownedBytes, totalBytes } = coverageOf(model);
  assert.deepEqual([percent, totalBytes - ownedBytes, model.waived], [0, 1_000_000, waived]);
});

for (const [name, change] of [
  ["another format", { format: 2 }],
  ["no files", { files: null }],
  ["a file of nobody known", { files: [{ ...INVENTORY.files[0], owner: "who" }] }],
  ["a part of nobody known", { parts: { kernel: { ...digests("kernel"), owner: "who" } } }],
] as const)
  test(`an inventory is refused: ${name}`, () => {
    assert.throws(() => parseInventory(JSON.stringify({ ...INVENTORY, ...change }), "x"), { code: "RELEASE_INVALID" });
  });

test("an inventory survives its text", () => {
  assert.deepEqual(parseInventory(JSON.stringify(INVENTORY), "x"), INVENTORY);
  assert.throws(() => parseInventory("{", "x"), { code: "RELEASE_INVALID" });
});
