// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { parse } from "yaml";
import { FactoryError } from "../../builder/errors.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, putBytes } from "../../builder/host/store.ts";
import type { CompiledModule, ModuleGroup } from "../../builder/release/module-groups.ts";
import { extensionTree, groupModules, parseModuleGroups, readModulesTar } from "../../builder/release/module-groups.ts";
import { fileOf } from "../../builder/release/tree.ts";
import { temporaryStore } from "../host/temp-store.ts";
import { sampleModule } from "./elf-samples.ts";

const isInvalid = (error: unknown): boolean => error instanceof FactoryError && error.code === "RELEASE_INVALID";
const none: ReadonlySet<string> = new Set();

const FILES: Readonly<Record<string, readonly string[]>> = {
  "kernel/drivers/net/big.ko": ["name=big", "license=GPL", "depends=lib", "alias=pci:v1"],
  "kernel/drivers/scsi/raid.ko": ["name=raid", "license=GPL", "depends=lib,builtin_lib"],
  "kernel/lib/lib.ko": ["name=lib", "license=GPL"],
};

async function compiled(store: Store, files = FILES): Promise<readonly CompiledModule[]> {
  const tar = pack();
  for (const [name, info] of Object.entries(files)) tar.entry({ name }, Buffer.from(sampleModule(info)));
  tar.finalize();
  return readModulesTar(store, await putBytes(store, await buffer(Readable.from(tar))));
}

const GROUPS = parseModuleGroups(`
net: { description: adapters, paths: [drivers/net/] }
raid: { description: disks, paths: [drivers/scsi/raid.ko] }
`);

test("each group gets its modules and what they depend on, without what is built in", async () => {
  const modules = await compiled(await temporaryStore());
  const grouped = await groupModules(GROUPS, modules, new Set(["builtin_lib"]));
  assert.deepEqual(
    [...grouped].map(([group, of]) => [group.name, of.map((m) => m.path)]),
    [
      ["net", ["kernel/drivers/net/big.ko", "kernel/lib/lib.ko"]],
      ["raid", ["kernel/drivers/scsi/raid.ko", "kernel/lib/lib.ko"]],
    ],
  );
});

const group = (name: string, ...paths: readonly string[]): ModuleGroup => ({ name, description: "d", paths });
const wrongGroups: Readonly<Record<string, readonly ModuleGroup[]>> = {
  "a module in no group": [group("net", "drivers/net/")],
  "a module in two groups": [group("net", "drivers/net/"), group("all", "drivers/")],
  "a group without modules": [
    group("net", "drivers/net/"),
    group("raid", "drivers/scsi/"),
    group("usb", "drivers/usb/"),
  ],
};

for (const [what, groups] of Object.entries(wrongGroups)) {
  test(`grouping refuses ${what}`, async () => {
    const modules = await compiled(await temporaryStore());
    await assert.rejects(groupModules(groups, modules, new Set(["builtin_lib"])), isInvalid);
  });
}

test("grouping refuses a dependency that the kernel does not have", async () => {
  const modules = await compiled(await temporaryStore());
  await assert.rejects(groupModules(GROUPS, modules, none), isInvalid);
});

for (const text of [
  "Net: { description: d, paths: [a/] }",
  "net: { paths: [a/] }",
  "net: { description: d, paths: [a] }",
  "net:",
]) {
  test(`module-groups.yaml: ${JSON.stringify(text)} is refused`, () =>
    assert.throws(() => parseModuleGroups(text), isInvalid));
}

test("an extension holds a manifest, its modules and their indices", async () => {
  const store = await temporaryStore();
  const modules = await compiled(store);
  const tree = await extensionTree(store, "6.12.0-x", group("net", "drivers/net/"), modules);
  const read = (path: string): Promise<string> => readFile(blobPath(store, fileOf(tree, path).digest), "utf8");
  const base = "rootfs/lib/modules/6.12.0-x";
  assert.deepEqual(Object.keys(tree).sort(), [
    "manifest.yaml",
    ...Object.keys(FILES).map((path) => `${base}/${path}`),
    `${base}/modules.alias`,
    `${base}/modules.dep`,
  ]);
  assert.match(await read(`${base}/modules.dep`), /^kernel\/drivers\/net\/big\.ko: kernel\/lib\/lib\.ko$/m);
  assert.equal(await read(`${base}/modules.alias`), "alias pci:v1 big\n");
  const manifest = parse(await read("manifest.yaml")) as { version: string; metadata: { name: string } };
  assert.deepEqual([manifest.version, manifest.metadata.name], ["v1alpha1", "kernel-net"]);
});
