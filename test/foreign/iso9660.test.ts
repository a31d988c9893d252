// SPDX-License-Identifier: Apache-2.0
// xorriso, isoinfo and isosize judge our ISO images.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { IsoOptions, IsoVolume } from "../../builder/layout/iso9660.ts";
import { layoutIso } from "../../builder/layout/iso9660.ts";
import { hybridOptions, isoOptions } from "../layout/iso9660-samples.ts";
import { layoutBytes, writeLayout } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "iso-"));
after(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, options: IsoOptions): { readonly path: string; readonly volume: IsoVolume } {
  const path = join(dir, `${name}.iso`);
  const volume = layoutIso(options);
  writeLayout(path, volume.layout);
  return { path, volume };
}

for (const [name, options] of [
  ["hybrid", hybridOptions().options],
  ["plain", isoOptions()],
] as const) {
  test(`xorriso extracts every file of the "${name}" image with its bytes`, async () => {
    const run = await judge();
    const { path, volume } = write(name, options);
    const out = join(dir, name);
    const argv = ["-abort_on", "WARNING", "-return_with", "WARNING", "32", "-osirrox", "on", "-indev", path];
    const result = await run(
      ["xorriso", ...argv, "-extract", "/", out, "-chmod_r", "u+rwx", "--", "-rollback_end"],
      [dir],
    );
    assert.equal(result.exitCode, 0, result.stderr);
    for (const [file, { offset, length }] of volume.files) {
      assert.ok(readFileSync(join(out, file)).equals(layoutBytes(volume.layout, offset, length)), file);
    }
    await run(["chmod", "-R", "u+rwx", out], [dir]);
  });

  test(`xorriso and isoinfo list the names of the "${name}" image`, async () => {
    const run = await judge();
    const { path, volume } = write(name, options);
    const want = [...volume.files.keys()].map((p) => `/${p}`).sort();
    const xorriso = await run(["xorriso", "-indev", path, "-find", "/", "-type", "f", "-exec", "echo"], [dir]);
    assert.equal(xorriso.exitCode, 0, xorriso.stderr);
    assert.deepEqual(
      xorriso.stdout
        .trim()
        .split("\n")
        .map((line) => line.slice(1, -1))
        .sort(),
      want,
    );
    const isoinfo = await run(["isoinfo", "-f", "-R", "-i", path], [dir]);
    assert.equal(isoinfo.exitCode, 0, isoinfo.stderr);
    assert.equal(isoinfo.stderr, "");
    const listed = new Set(isoinfo.stdout.trim().split("\n"));
    assert.deepEqual(
      want.filter((p) => !listed.has(p)),
      [],
    );
  });

  test(`isosize agrees on the length of the "${name}" image`, async () => {
    const run = await judge();
    const { path, volume } = write(name, options);
    const result = await run(["isosize", path], [dir]);
    assert.equal(result.stdout.trim(), String(volume.layout.length));
  });
}

test("xorriso finds both boot images and both kinds of boot information", async () => {
  const run = await judge();
  const { path, volume } = write("hybrid", hybridOptions().options);
  const { stdout, exitCode } = await run(["xorriso", "-indev", path, "-report_el_torito", "plain"], [dir]);
  assert.equal(exitCode, 0);
  const lines = new Set(stdout.split("\n").map((line) => line.replaceAll(/\s+/g, " ").trim()));
  for (const line of [
    `El Torito boot img : 1 BIOS y none 0x0000 0x00 4 ${(volume.eltoritoBios?.offset ?? 0) / 2048}`,
    `El Torito boot img : 2 UEFI y none 0x0000 0x00 0 ${volume.appendedOffset / 2048}`,
    "El Torito img path : 1 /boot/grub/eltorito.img",
    "El Torito img opts : 1 boot-info-table grub2-boot-info",
  ]) {
    assert.ok(lines.has(line), `${line}\nnot in\n${stdout}`);
  }
});

test("isoinfo reads ids, Rock Ridge and the boot catalogue", async () => {
  const run = await judge();
  const { path } = write("hybrid", hybridOptions().options);
  const { stdout, exitCode } = await run(["isoinfo", "-d", "-i", path], [dir]);
  assert.equal(exitCode, 0);
  for (const line of [
    "Volume id: DODEKA_1_0_0",
    "Publisher id: DODEKA",
    "Application id: DODEKA 1.0.0",
    "Rock Ridge signatures version 1 found",
    "        Bootid 88 (bootable)",
    "        Nsect 4",
  ]) {
    assert.ok(stdout.includes(line), `${line}\nnot in\n${stdout}`);
  }
});
