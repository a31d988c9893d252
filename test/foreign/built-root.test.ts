// SPDX-License-Identifier: Apache-2.0
// veritysetup and unsquashfs judge the root image; zstd and cpio the initramfs. Together they hold exactly twelve programs,
// all static: no interpreter, no script, no shared library.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { test } from "node:test";
import { VERITY_BLOCK_BYTES } from "../../builder/layout/verity.ts";
import { USERLAND_PROGRAMS } from "../../builder/release/userland-table.ts";
import { buildImages } from "./built-images.ts";
import { entriesBelow } from "./entries-below.ts";
import type { JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";
import { unpackInitramfs } from "./unpack-initramfs.ts";

const images = await buildImages(["root", "initramfs"]);
const { core } = images;
const root = images.path("root");
const hashOffset = core.root.dataBlocks * VERITY_BLOCK_BYTES;

const ROOT_PROGRAMS = [
  "sbin/apid",
  "sbin/dashboard",
  "sbin/init",
  "sbin/modprobe",
  "sbin/trustd",
  "usr/bin/cni",
  "usr/bin/containerd",
  "usr/bin/containerd-shim-runc-v2",
  "usr/bin/kubelet",
  "usr/bin/mount",
  "usr/bin/runc",
];
const INITRAMFS_PROGRAMS = ["stage1"];
const MAX_ROOT_BYTES = 100 * 1024 * 1024;

async function run(...argv: readonly string[]): Promise<JudgeResult> {
  const result = await (await judge())(argv, [images.dir]);
  assert.equal(result.exitCode, 0, `${argv.join(" ")}\n${result.stdout}\n${result.stderr}`);
  return result;
}

test("veritysetup verifies the root image against the plan's hash", async () => {
  const { stdout, stderr } = await run(
    "veritysetup",
    "verify",
    root,
    root,
    core.root.hash,
    `--hash-offset=${hashOffset}`,
  );
  assert.deepEqual([stdout.trim(), stderr], ["", ""]);
  const dump = await run("veritysetup", "dump", root, `--hash-offset=${hashOffset}`);
  assert.match(dump.stdout, new RegExp(`^Data blocks:\\s+${core.root.dataBlocks}$`, "m"));
  assert.match(dump.stdout, /^Hash algorithm:\s+sha256$/m);
});

test("veritysetup refuses the root image for another hash", async () => {
  const other = core.root.hash.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  const argv = ["veritysetup", "verify", root, root, other, `--hash-offset=${hashOffset}`];
  const result = await (await judge())(argv, [images.dir]);
  assert.notEqual(result.exitCode, 0);
});

test("unsquashfs reads the root file system: zstd, no times, no extended attributes, everything root's", async () => {
  const { stdout, stderr } = await run("unsquashfs", "-s", root);
  assert.equal(stderr, "");
  assert.match(stdout, /^Found a valid SQUASHFS 4:0 superblock/);
  assert.match(stdout, /^Creation or last append time Thu Jan {2}1 00:00:00 1970$/m);
  assert.match(stdout, /^Compression zstd$/m);
  assert.match(stdout, /^Xattrs are not stored$/m);
  const list = await run("unsquashfs", "-UTC", "-lln", root);
  for (const line of list.stdout.trim().split("\n")) {
    assert.match(
      line,
      /^(lrwxrwxrwx|drwxrwxrwt|[-d][-r][-w][-x][-r]-[-x][-r][-w][-xt]) 0\/0 +\d+ 1970-01-01 00:00 /,
      line,
    );
  }
});

test("the root image is within its budget", () => {
  console.log(`root image ${statSync(root).size} bytes of at most ${MAX_ROOT_BYTES}`);
  assert.ok(statSync(root).size <= MAX_ROOT_BYTES);
});

test("the root image holds exactly its programs, all static", async () => {
  const tree = join(images.dir, "root");
  await run("unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-d", tree, root);
  await checkPrograms(tree, ROOT_PROGRAMS);
  const plugins = readdirSync(join(tree, "opt/cni/bin"));
  assert.deepEqual(plugins.sort(), ["bridge", "host-local", "loopback", "portmap"]);
  for (const name of plugins) assert.equal(readlinkSync(join(tree, "opt/cni/bin", name)), "../../../usr/bin/cni");
  await run("chmod", "-R", "u+rwX", tree);
});

test("the operating system is twelve programs", () => {
  assert.equal(ROOT_PROGRAMS.length + INITRAMFS_PROGRAMS.length, 12);
  const names = [...ROOT_PROGRAMS, ...INITRAMFS_PROGRAMS].map((path) => basename(path));
  assert.deepEqual(names.sort(), USERLAND_PROGRAMS);
});

test("the initramfs holds exactly its program, static, and one link to it that starts it", async () => {
  const tree = join(images.dir, "initramfs");
  const bytes = readFileSync(images.path("initramfs")).subarray(0, core.parts.initramfs.size);
  const listing = await unpackInitramfs(await judge(), bytes, images.dir, tree);
  await checkPrograms(tree, INITRAMFS_PROGRAMS);
  const links = listing.filter((line) => line.startsWith("l"));
  assert.equal(links.length, 1);
  assert.match(links[0] ?? "", / init -> stage1$/);
});

/** Programs are the files that somebody may execute, or that a kernel would: ELF programs and libraries, and scripts. */
async function checkPrograms(tree: string, want: readonly string[]): Promise<void> {
  const files = entriesBelow(tree).filter((e) => e.isFile());
  const paths = files.map((e) => join(e.parentPath, e.name));
  assert.ok(paths.length >= want.length && want.length > 0);
  assert.deepEqual(
    paths
      .filter(isProgram)
      .map((p) => relative(tree, p))
      .sort(),
    want,
  );
  for (const name of want) {
    const { stdout } = await run(
      "readelf",
      "--wide",
      "--file-header",
      "--program-headers",
      "--dynamic",
      join(tree, name),
    );
    assert.match(stdout, /Type:\s+EXEC/);
    assert.doesNotMatch(stdout, /INTERP|NEEDED/);
    assert.match(stdout, /There is no dynamic section/);
  }
}

const RELOCATABLE = 1; // ELF e_type of a kernel module

function isProgram(path: string): boolean {
  const head = readFileSync(path).subarray(0, 20);
  const isElf = head.subarray(0, 4).toString("latin1") === "\x7fELF";
  if (isElf && head.readUInt16LE(16) === RELOCATABLE) return (statSync(path).mode & 0o111) !== 0;
  return isElf || head.subarray(0, 2).toString("latin1") === "#!" || (statSync(path).mode & 0o111) !== 0;
}
