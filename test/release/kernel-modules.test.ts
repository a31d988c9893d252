// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseModuleLists } from "../../builder/release/debian-kernel.ts";
import type { KernelModule } from "../../builder/release/kernel-modules.ts";
import { chooseModules, renderModulesAlias, renderModulesDep } from "../../builder/release/kernel-modules.ts";

function module(name: string, depends: readonly string[] = [], aliases: readonly string[] = []): KernelModule {
  return { path: `kernel/${name}.ko`, info: { name, depends, aliases, license: "GPL" } };
}

/** ahci needs libahci, which needs libata, which needs scsi_mod; sd_mod needs scsi_mod too. */
const KERNEL = new Map(
  [
    module("ahci", ["libahci", "libata"], ["pci:v*", "ahci"]),
    module("libahci", ["libata"]),
    module("libata", ["scsi_mod"]),
    module("scsi_mod"),
    module("sd_mod", ["scsi_mod"], ["pci:v*", "block-major-8"]),
    module("one", ["two"]),
    module("two", ["one"]),
  ].map((m) => [m.info.name, m]),
);
const find = async (name: string): Promise<KernelModule | undefined> => KERNEL.get(name);
const none: ReadonlySet<string> = new Set();

test("chooseModules takes what is named and all it needs, sorted by path, each once", async () => {
  const chosen = await chooseModules(["sd-mod", "ahci", "ahci"], "root", none, find);
  assert.deepEqual(
    chosen.map((m) => m.info.name),
    ["ahci", "libahci", "libata", "scsi_mod", "sd_mod"],
  );
});

test("chooseModules leaves out what the kernel has built in", async () => {
  const chosen = await chooseModules(["ahci", "ext4"], "root", new Set(["ext4", "libata"]), find);
  assert.deepEqual(
    chosen.map((m) => m.info.name),
    ["ahci", "libahci"],
  );
});

test("chooseModules names a module that the kernel does not have, and the list or module that asks for it", async () => {
  await assert.rejects(chooseModules(["nvme"], "initramfs", none, find), {
    code: "RELEASE_INVALID",
    message: /initramfs: found "nvme"/,
  });
  const broken = async (name: string): Promise<KernelModule | undefined> =>
    name === "libata" ? undefined : KERNEL.get(name);
  await assert.rejects(chooseModules(["ahci"], "root", none, broken), {
    code: "RELEASE_INVALID",
    message: /libahci|ahci/,
  });
});

test("renderModulesDep lists dependencies so that loading from the right end always works", async () => {
  const chosen = await chooseModules(["ahci", "sd_mod"], "root", none, find);
  assert.equal(
    renderModulesDep(chosen),
    [
      "kernel/ahci.ko: kernel/libahci.ko kernel/libata.ko kernel/scsi_mod.ko",
      "kernel/libahci.ko: kernel/libata.ko kernel/scsi_mod.ko",
      "kernel/libata.ko: kernel/scsi_mod.ko",
      "kernel/scsi_mod.ko:",
      "kernel/sd_mod.ko: kernel/scsi_mod.ko",
      "",
    ].join("\n"),
  );
});

test("renderModulesDep ends for modules that depend on each other", async () => {
  const chosen = await chooseModules(["one"], "root", none, find);
  assert.equal(renderModulesDep(chosen), "kernel/one.ko: kernel/two.ko\nkernel/two.ko: kernel/one.ko\n");
});

test("renderModulesAlias lists each alias once per module, sorted", async () => {
  const chosen = await chooseModules(["sd_mod", "ahci"], "root", none, find);
  const want = ["alias ahci ahci", "alias block-major-8 sd_mod", "alias pci:v* ahci", "alias pci:v* sd_mod", ""];
  assert.equal(renderModulesAlias(chosen), want.join("\n"));
});

const GOOD = "initramfs: [ahci]\nroot: [e1000]\nload: [loop, dm-verity]\n";

test("parseModuleLists reads the lists, and the file that ships", () => {
  assert.deepEqual(parseModuleLists(GOOD), { initramfs: ["ahci"], root: ["e1000"], load: ["loop", "dm-verity"] });
  const shipped = parseModuleLists(
    readFileSync(new URL("../../kernel-config/stock-modules.yaml", import.meta.url), "utf8"),
  );
  assert.ok(shipped.load.includes("loop"));
});

const WRONG: readonly (readonly [what: string, text: string, field: string])[] = [
  ["an empty file", "", "document"],
  ["no YAML", "initramfs: [ahci\nroot: }", "document"],
  ["a list", "[ahci]", "document"],
  ["a missing list", "initramfs: []\nroot: []\n", "load"],
  ["a list that is a text", GOOD.replace("[e1000]", "e1000"), "root"],
  ["a name that is a path", GOOD.replace("e1000", "../e1000"), "root"],
  ["a name that is a number", GOOD.replace("e1000", "8021"), "root"],
  ["a list that nobody reads", `${GOOD}moduels: [x]\n`, "moduels"],
];

for (const [what, text, field] of WRONG) {
  test(`parseModuleLists refuses ${what}`, () => {
    assert.throws(
      () => parseModuleLists(text),
      (error: { code: string; details: { field: string } }) => {
        assert.deepEqual([error.code, error.details.field], ["RELEASE_INVALID", field]);
        return true;
      },
    );
  });
}
