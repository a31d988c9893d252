// SPDX-License-Identifier: Apache-2.0
// GNU cpio judges our archives.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { joinCpioArchives, layoutCpio } from "../../builder/layout/cpio.ts";
import { CPIO_SAMPLE, cpioFile } from "../layout/cpio-samples.ts";
import { layoutBytes } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "cpio-"));
after(() => rmSync(dir, { recursive: true }));
const archive = join(dir, "sample.cpio");
writeFileSync(archive, layoutBytes(layoutCpio(CPIO_SAMPLE)));

test("cpio lists modes, owners, devices, sizes, times and names as we wrote them", async () => {
  const run = await judge();
  const argv = ["env", "TZ=UTC", "LC_ALL=C.UTF-8", "cpio", "-itvn", "--quiet", "-F", archive];
  const { exitCode, stdout, stderr } = await run(argv, [dir]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\s+/g, " "));
  assert.deepEqual(lines, [
    "lrwxrwxrwx 1 0 0 7 Nov 14 2023 bin -> usr/bin",
    "drwxr-xr-x 2 0 0 0 Nov 14 2023 dev",
    "crw------- 1 0 0 5, 1 Nov 14 2023 dev/console",
    "brw-rw---- 1 0 6 7, 0 Nov 14 2023 dev/loop0",
    "drwxr-xr-x 2 0 0 0 Nov 14 2023 etc",
    "-rw-r--r-- 1 0 0 0 Nov 14 2023 etc-old",
    "-rw-r--r-- 1 0 0 20 Nov 14 2023 etc/hosts",
    "-rwsr-xr-x 1 3 5 3 Nov 14 2023 init",
    "drwxr-xr-x 2 0 0 0 Nov 14 2023 usr",
    "drwxr-xr-x 2 0 0 0 Nov 14 2023 usr/bin",
    "-rw-r--r-- 1 0 0 1 Nov 14 2023 usr/bin/größe 😀",
    "-rw-r--r-- 1 0 0 1 Nov 14 2023 usr/bin/\ufb33",
  ]);
});

test("cpio unpacks files and links with their contents", async () => {
  const run = await judge();
  const out = join(dir, "out");
  mkdirSync(out);
  const patterns = ["etc", "etc/*", "etc-old", "init", "bin", "usr", "usr/*"]; // devices need privileges
  const argv = ["cpio", "-im", "--quiet", "--no-preserve-owner", "-D", out, "-F", archive, ...patterns];
  const { exitCode, stderr } = await run(argv, [dir]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.equal(readFileSync(join(out, "etc/hosts"), "utf8"), "127.0.0.1 localhost\n");
  assert.equal(readFileSync(join(out, "usr/bin/größe 😀"), "utf8"), "x");
  assert.deepEqual(
    [readlinkSync(join(out, "bin")), statSync(join(out, "init")).mtimeMs],
    ["usr/bin", 1_700_000_000_000],
  );
});

test("cpio finds the second of two joined archives where the first one ends", async () => {
  const run = await judge();
  const [first, second] = ["one", "two"].map((name) => layoutCpio([cpioFile(name, name)]));
  assert.ok(first !== undefined && second !== undefined);
  const joined = join(dir, "joined.cpio");
  writeFileSync(joined, layoutBytes(joinCpioArchives([first, second])));
  const script = 'cpio -it --quiet <"$1"; tail -c +$(($2 + 1)) "$1" | cpio -it --quiet';
  const { stdout, stderr } = await run(["bash", "-c", script, "cpio", joined, String(first.length)], [dir]);
  assert.deepEqual([stdout, stderr], ["one\ntwo", ""]);
});
