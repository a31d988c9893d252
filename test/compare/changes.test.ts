// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { compareArguments, compareInventories, compareTables } from "../../builder/compare/changes.ts";
import { renderChanges } from "../../builder/compare/change-text.ts";
import { componentTable } from "../../builder/compare/components.ts";
import { takeInventory } from "../../builder/compare/inventory.ts";
import { jsonTable, kernelConfigTable } from "../../builder/compare/json-table.ts";
import { layoutCpio } from "../../builder/layout/cpio.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";
import { cpioFile } from "../layout/cpio-samples.ts";
import { damagedImage, layoutImage } from "../layout/layout-image.ts";
import { sampleDisk, sampleInitramfs, sampleRoot } from "./samples.ts";

test("takeInventory finds files wherever they are", async () => {
  const { items, values, pcr11 } = await takeInventory(layoutImage(await sampleDisk()));
  const shown = (path: string): unknown => {
    const { kind, mode, owner, size, target, device } = items.get(path) ?? assert.fail(`no ${path}`);
    return [kind, mode, owner, size, target, device];
  };
  const uki = "EFI:/EFI/Linux/a long name.efi";
  assert.deepEqual(shown("EFI"), ["partition", undefined, undefined, 64 << 20, undefined, undefined]);
  assert.deepEqual(shown(`${uki}:/.uname`), ["section", undefined, undefined, 6, undefined, undefined]);
  assert.deepEqual(shown(`${uki}:/.initrd:/init`), ["file", "4755", "3:5", 3, undefined, undefined]);
  assert.deepEqual(shown(`${uki}:/.initrd:/bin`), ["symlink", "0777", "0:0", 7, "usr/bin", undefined]);
  assert.deepEqual(shown(`${uki}:/.initrd:/dev/loop0`), ["device", "0660", "0:6", 0, undefined, "7:0"]);
  assert.deepEqual(shown(`${uki}:/.initrd:/dodeka/config`), ["file", "0644", "0:0", 4, undefined, undefined]);
  assert.deepEqual(shown("EFI:/dodeka/image.root:/sbin/init"), ["file", "0755", "0:0", 300_000, undefined, undefined]);
  assert.equal(values.get(`${uki}: kernel version`), "6.12.0");
  assert.equal(values.get("EFI:/dodeka/image.root: verity UUID"), "01020304-0506-8708-890a-0b0c0d0e0f10");
  assert.match(pcr11.get(uki) ?? "", /^[0-9a-f]{64}$/);
});

test("compareInventories says what changed, by section", async () => {
  const a = await takeInventory(layoutImage(await sampleDisk()));
  const b = await takeInventory(layoutImage(await sampleDisk({ late: "lane", commandLine: "panic=5 console=tty0" })));
  const changes = compareInventories(a, b).map(({ section, name, before, after }) => {
    const short = (text?: string): string => (text ?? "none").replace(/[0-9a-f]{64}/, "…");
    return `${section}: ${name}: ${short(before)} -> ${short(after)}`;
  });
  const uki = "EFI:/EFI/Linux/a long name.efi";
  assert.deepEqual(
    changes.filter((line) => !line.includes(`${uki}: file`) && !line.includes(".initrd: section")),
    [
      "kernel arguments: quiet: (set) -> none",
      "kernel arguments: panic: 30 -> 5",
      "kernel arguments: console: tty0 ttyS0 -> tty0",
      `PCR values: PCR 11 of ${uki}: … -> …`,
      `files: ${uki}:/.cmdline: section 41 bytes sha256:… -> section 20 bytes sha256:…`,
      `files: ${uki}:/.initrd:/late: file 0644 0:0 4 bytes sha256:… -> file 0644 0:0 4 bytes sha256:…`,
    ],
  );
});

test("takeInventory reports a file that cannot be unpacked", async () => {
  const root = await sampleRoot();
  const damage = new Uint8Array(20).fill(0xff);
  const { items } = await takeInventory(damagedImage(root, [[96, damage]]));
  const unreadable = [...items.values()].filter((i) => i.sha256?.startsWith("unreadable") === true);
  assert.ok(unreadable.some((i) => i.path === "sbin/init"));
});

test("an initramfs is compared whether compressed or not", async () => {
  const { format, items } = await takeInventory(layoutImage(sampleInitramfs()));
  assert.equal(format, "initramfs");
  assert.ok(items.has("late") && items.has("dodeka/config"));
});

test("compareArguments joins repeated names, in their order", () => {
  assert.deepEqual(compareArguments("a b=1 b=2", "a b=2 b=1"), [
    { section: "kernel arguments", name: "b", before: "1 2", after: "2 1" },
  ]);
  assert.deepEqual(compareArguments("a  b", "b a"), []);
});

test("componentTable goes by package without version", () => {
  const bom = {
    components: [
      { type: "library", name: "x", purl: "pkg:deb/debian/x@1.0?arch=amd64", version: "1.0" },
      { type: "application", name: "y", components: [{ type: "library", purl: "pkg:golang/m@v2", version: "v2" }] },
      { type: "library", purl: "pkg:golang/m@v1", version: "v1" },
      { type: "file", name: "z", hashes: [null, { alg: "SHA-1", content: "11" }, { alg: "SHA-256", content: "00" }] },
      { type: "file", name: "y", hashes: [{ alg: "SHA-1", content: "11" }] },
      "no component",
    ],
  };
  assert.deepEqual(Object.fromEntries(componentTable(bom)), {
    "pkg:deb/debian/x": "1.0",
    "application y": "(no version)",
    "pkg:golang/m": "v1, v2",
    "file z": "SHA-256:00",
    "file y": "SHA-1:11",
  });
  assert.equal(componentTable({ components: 3 }).size, 0);
});

test("jsonTable and kernelConfigTable name what they hold", () => {
  const table = jsonTable({ a: { b: [1, { name: "x", v: true }], c: [] }, d: null });
  assert.deepEqual(
    [...table],
    [
      ["a.b[0]", "1"],
      ["a.b[x].name", "x"],
      ["a.b[x].v", "true"],
      ["a.c", "[]"],
      ["d", "null"],
    ],
  );
  const config = kernelConfigTable('# comment\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="x=y"\n');
  assert.deepEqual(
    [...config],
    [
      ["CONFIG_A", "y"],
      ["CONFIG_B", "n"],
      ["CONFIG_C", '"x=y"'],
    ],
  );
});

test("renderChanges escapes what would move a cursor", () => {
  const changes = compareTables("files", new Map([["evil\u001b[2J", "1"]]), new Map([["new", "2"]]));
  assert.equal(renderChanges(changes), "files (2)\n  - evil\\u{1b}[2J: 1\n  + new: 2\n");
});

test("archives that unpack to more than memory has are opaque, and the rest is still read", async () => {
  const bomb = zstdCompressSync(Buffer.alloc(200 << 20));
  const archive = layoutCpio(
    [1, 2, 3].map((n) => ({
      ...cpioFile(`bomb${n}`, ""),
      kind: "file" as const,
      content: bytesLayout(bomb),
    })),
  );
  const { items, values } = await takeInventory(layoutImage(archive));
  assert.equal(items.size, 3);
  const unreadable = [...values].filter(([name]) => name.endsWith(": unreadable"));
  assert.equal(unreadable.length, 1);
});
