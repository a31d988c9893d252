// SPDX-License-Identifier: Apache-2.0
// The scripts around kbuild, with a "make" of ours in its place: what happens to the cache of an interrupted run.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { countObjects, explainMissingTool } from "../../builder/release/kernel-build.ts";
import { openBox } from "../foreign/judge.ts";
import { ROOT } from "../structure/tracked-files.ts";

const BOOT_ID = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
const START = 1_700_000_000; // seconds since 1970: when the interrupted run began

let dir = "";
before(() => (dir = mkdtempSync(join(tmpdir(), "kbuild-"))));
after(() => removeTree(dir));

/** A build folder as a killed run leaves it: files by name, each so many seconds before or after its start. */
function killedRun(name: string, bootId: string, files: Readonly<Record<string, number>>): string {
  const from = join(dir, name);
  for (const sub of ["source", "out/fs", "out/arch/x86/boot", "out/include/config"])
    mkdirSync(join(from, sub), { recursive: true });
  const put = (file: string, text: string, seconds: number): void => {
    writeFileSync(join(from, "out", file), text);
    utimesSync(join(from, "out", file), START + seconds, START + seconds);
  };
  for (const [file, seconds] of Object.entries(files)) put(file, "", seconds);
  for (const made of ["System.map", "modules.builtin", "modules.builtin.modinfo", "arch/x86/boot/bzImage"])
    put(made, "", -10);
  put("include/config/kernel.release", "6.12.0-test\n", -10);
  put(".config", "CONFIG_A=y\n", -10);
  put(".dodeka-started", `${bootId}\n`, 0);
  writeFileSync(join(from, "config"), "CONFIG_A=y\n");
  writeFileSync(join(from, "make"), '#!/bin/bash\nexit "$(cat /build/exit 2>/dev/null || echo 0)"\n', { mode: 0o755 });
  return from;
}

async function build(from: string): Promise<{ exitCode: number; stdout: string }> {
  const { root } = await openBox("kernel");
  const binds = [
    { host: from, inside: "/build", writable: true },
    { host: join(ROOT, "kernel-config"), inside: "/run", writable: false },
    { host: join(from, "make"), inside: "/usr/bin/make", writable: false },
  ];
  const env = { KERNEL_ARCH: "x86", JOBS: "1" };
  return runInSandbox(root, { argv: ["bash", "/run/build.sh", "image"], env, binds, cwd: "/build" });
}

const has = (from: string, file: string): boolean => existsSync(join(from, "out", file));

test("after a kill, an object that was being written is made again and finished ones stay", async () => {
  const from = killedRun("killed", BOOT_ID, {
    "fs/half.o": 5, // began in the killed run; its .cmd is of the run before
    "fs/.half.o.cmd": -100,
    "fs/whole.o": 5, // finished in the killed run
    "fs/.whole.o.cmd": 6,
    "fs/old.o": -50, // finished before it
    "fs/.old.o.cmd": -49,
  });
  const { exitCode, stdout } = await build(from);
  assert.equal(exitCode, 0);
  assert.match(stdout, /going on after an interrupted run/);
  assert.deepEqual(
    ["fs/.half.o.cmd", "fs/.whole.o.cmd", "fs/.old.o.cmd"].map((file) => has(from, file)),
    [false, true, true],
  );
  assert.equal(has(from, ".dodeka-started"), false);
});

test("after a crash of the machine nothing of the cache is trusted", async () => {
  const from = killedRun("crashed", "another boot", { "fs/old.o": -50, "fs/.old.o.cmd": -49 });
  const { stdout } = await build(from);
  assert.match(stdout, /starting clean after a crash/);
  assert.equal(has(from, "fs/old.o"), false);
});

test("a failed run stays marked as unfinished", async () => {
  const from = killedRun("failed", BOOT_ID, {});
  writeFileSync(join(from, "exit"), "2");
  assert.equal((await build(from)).exitCode, 2);
  assert.equal(has(from, ".dodeka-started"), true);
});

test("compiled objects are counted, whatever else make prints", () => {
  const output = "  CC      mm/slub.o\n  AS      a.o\n  LD      b.o\n  CC [M]  c.o\nmake[1]: CC x\n  HOSTCC  y\n";
  assert.equal(countObjects(output), 3);
});

const outputs = [
  { output: "/bin/sh: line 1: flex: command not found", tool: "flex" },
  { output: "make[1]: bison: No such file or directory", tool: "bison" },
  { output: "env: 'python3': No such file or directory\nmake: *** Error 127", tool: "python3" },
  { output: "scripts/Kconfig.include:40: C compiler 'gcc' not found", tool: "gcc" },
];

for (const { output, tool } of outputs) {
  test(`a toolbox without ${tool} is told as that`, () => {
    const failed = new FactoryError({ code: "ACTION_FAILED", expected: "success", fix: "try again", output });
    const explained = explainMissingTool(failed);
    assert.ok(explained instanceof FactoryError);
    assert.equal(explained.details.expected, `the program "${tool}" in the toolbox "kernel"`);
    assert.match(explained.details.fix, /package-groups\.ts/);
  });
}

test("a failed compile is not taken for a missing tool", () => {
  const output = "mm/slub.c:1:10: fatal error: nothing.h: No such file or directory\n";
  const failed = new FactoryError({ code: "ACTION_FAILED", expected: "success", fix: "try again", output });
  assert.equal(explainMissingTool(failed), failed);
});
