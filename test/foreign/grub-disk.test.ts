// SPDX-License-Identifier: Apache-2.0
// xorriso judges how we patch GRUB's hybrid boot sector; GRUB's own images must be what embedGrubDisk expects.
// grub-bios-setup is no judge here: it wants to open the disk under its directory. Its output for grub 2.12-9+deb13u1
// and a core at LBA 2048 was compared by hand with embedGrubDisk's and was equal, byte for byte.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { embedGrubDisk, embedGrubHybrid } from "../../builder/layout/grub-disk.ts";
import { patternBytes } from "../layout/layout-image.ts";
import { judge, openBox } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "grub-"));
after(() => rmSync(dir, { recursive: true }));

async function readGrub(name: string): Promise<Buffer> {
  const box = await openBox("compile");
  return readFileSync(join(box.root, "usr/lib/grub/i386-pc", name));
}

test("xorriso writes the same boot code into a hybrid ISO", async () => {
  const run = await judge();
  const tree = join(dir, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "eltorito.img"), patternBytes(30_000, 1));
  const bootHybridImg = await readGrub("boot_hybrid.img");
  writeFileSync(join(dir, "boot_hybrid.img"), bootHybridImg);
  const boot = [
    "-b",
    "eltorito.img",
    "-no-emul-boot",
    "-boot-load-size",
    "4",
    "--grub2-mbr",
    join(dir, "boot_hybrid.img"),
  ];
  const iso = join(dir, "hybrid.iso");
  const made = await run(["xorriso", "-as", "mkisofs", "-quiet", "-o", iso, ...boot, tree], [dir]);
  assert.equal(made.exitCode, 0, made.stderr);
  const report = await run(["xorriso", "-indev", iso, "-report_el_torito", "plain"], [dir]);
  const lba = Number(/^El Torito boot img :.*?(\d+)\s*$/m.exec(report.stdout)?.[1]);
  const ours = embedGrubHybrid({ bootHybridImg, eltoritoLba512: lba * 4 });
  assert.equal(Buffer.from(ours).toString("hex"), readFileSync(iso).subarray(0, 440).toString("hex"));
});

test("embedGrubDisk accepts the packaged boot.img and diskboot.img and keeps their code", async () => {
  const [bootImg, diskboot] = [await readGrub("boot.img"), await readGrub("diskboot.img")];
  const coreImg = Buffer.concat([diskboot, patternBytes(5000, 2).fill(0, 0x10, 0x14)]);
  const { bootCode, core } = embedGrubDisk({ bootImg, coreImg, coreLba: 2048 });
  const differing = [...bootCode.keys()].filter((at) => bootCode[at] !== bootImg[at]);
  assert.deepEqual(differing, [0x5c, 0x5d, 0x66, 0x67]); // boot drive 0xff is what the package has
  const changed = [...core.subarray(0, 512).keys()].filter((at) => core[at] !== diskboot[at]);
  assert.deepEqual(changed, [0x1f4, 0x1f5, 0x1fc]);
});
