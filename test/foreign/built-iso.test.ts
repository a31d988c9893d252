// SPDX-License-Identifier: Apache-2.0
// xorriso, isoinfo, sgdisk, sfdisk and fsck.fat judge the hybrid ISO: as a CD, as a disk, and as both at once.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { buildImages } from "./built-images.ts";
import { copyFromFat, extractRange, listFat } from "./fat-volume.ts";
import type { JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";

const images = await buildImages(["iso"]);
const plan = images.planOf("iso");
const image = images.path("iso");
const partition = plan.partitions[0];
assert.ok(partition !== undefined);

async function run(...argv: readonly string[]): Promise<JudgeResult> {
  const result = await (await judge())(argv, [images.dir]);
  assert.equal(result.exitCode, 0, result.stderr);
  return result;
}

test("xorriso recognises both boot images, the MBR and the GPT of the ISO", async () => {
  const argv = ["-indev", image, "-report_el_torito", "plain", "-report_system_area", "plain"];
  const { stdout, stderr } = await run("xorriso", "-abort_on", "WARNING", "-return_with", "WARNING", "32", ...argv);
  assert.doesNotMatch(stderr, /WARNING|SORRY|FAILURE|FATAL/);
  const report = stdout.replaceAll(/ +/g, " ");
  const guid = (text: string): RegExp => new RegExp(`: (?:1 )?${mixedEndian(text)}$`, "m");
  assert.match(report, /^El Torito boot img : 1 BIOS y none 0x0000 0x00 4 /m);
  assert.match(
    report,
    new RegExp(`^El Torito boot img : 2 UEFI y none 0x0000 0x00 0 ${partition.offset / 2048}$`, "m"),
  );
  assert.match(report, /^El Torito img opts : 1 boot-info-table grub2-boot-info$/m);
  // The empty but active MBR entry, which some BIOSes want: xorriso writes the same one and knows it again.
  assert.match(report, /^System area summary: MBR protective-msdos-label grub2-mbr cyl-align-off GPT$/m);
  assert.match(report, /^MBR partition : 2 0x80 0x00 0 1$/m);
  assert.match(report, new RegExp(`^GPT start and size : 1 ${partition.offset / 512} ${partition.size / 512}$`, "m"));
  for (const id of [plan.diskGuid, partition.guid, partition.typeGuid]) assert.match(report, guid(id));
});

test("isoinfo reads volume, boot catalogue and names of the ISO", async () => {
  const { stdout, stderr } = await run("isoinfo", "-d", "-i", image);
  assert.equal(stderr, "");
  assert.match(stdout, new RegExp(`^Volume id: ${plan.volumeId}$`, "m"));
  assert.match(stdout, new RegExp(`^Volume size is: ${plan.size / 2048}$`, "m"));
  assert.match(stdout, /^Rock Ridge signatures version 1 found$/m);
  assert.match(stdout, /^ +Bootid 88 \(bootable\)$/m);
  const list = await run("isoinfo", "-f", "-R", "-i", image);
  assert.equal(list.stderr, "");
  const listed = list.stdout.trim().split("\n");
  for (const { name } of plan.files) assert.ok(listed.includes(`/${name}`), name);
});

test("the files of the ISO's tree, its ESP and the plan are the same bytes", async () => {
  const volume = extractRange(image, partition.offset, partition.size, join(images.dir, "esp"));
  const tree = join(images.dir, "tree");
  await run(
    "xorriso",
    "-osirrox",
    "on",
    "-indev",
    image,
    "-extract",
    "/",
    tree,
    "-chmod_r",
    "u+rwx",
    "--",
    "-rollback_end",
  );
  const whole = readFileSync(image);
  for (const { name, offset } of plan.esp.files) {
    const inTree = readFileSync(join(tree, name));
    const placed = plan.files.find((f) => f.name === name);
    assert.equal(placed?.offset, partition.offset + offset, `${name} lies at one place only`);
    assert.equal(sha256(inTree), sha256(whole.subarray(placed?.offset, (placed?.offset ?? 0) + inTree.length)), name);
    const copy = join(images.dir, "copy");
    await copyFromFat(volume, name, copy);
    assert.equal(sha256(readFileSync(copy)), sha256(inTree), name);
  }
  assert.deepEqual(await listFat(volume), plan.esp.files.map((f) => f.name).sort());
});

test("fsck.fat accepts the ESP of the ISO", async () => {
  const volume = extractRange(image, partition.offset, partition.size, join(images.dir, "esp"));
  const { stdout, stderr } = await run("fsck.fat", "-n", "-v", volume);
  assert.equal(stderr, "");
  assert.doesNotMatch(stdout, /differ|warning|error|dirty|wrong|bad|orphan|lost/i);
});

test("sfdisk finds no error in the ISO as a disk, and the plan's partition", async () => {
  const verify = await run("sfdisk", "--verify", image);
  assert.equal(verify.stderr, "");
  assert.match(verify.stdout, /^No errors detected\.$/m);
  const { stdout } = await run("sfdisk", "--dump", image);
  assert.match(stdout.toLowerCase(), new RegExp(`^label-id: ${plan.diskGuid}$`, "m"));
  const entry = `start= *${partition.offset / 512}, size= *${partition.size / 512}, type=${partition.typeGuid}, uuid=${partition.guid}`;
  assert.match(stdout.toLowerCase(), new RegExp(entry));
});

test("sgdisk finds no problem in the ISO as a disk", async () => {
  const { stdout, stderr } = await run("sgdisk", "--verify", image);
  assert.equal(stderr, "");
  // gdisk guesses an alignment from where the partition begins and expects it at the end too. The ESP here ends where
  // its content ends, so as not to lengthen the ISO; nobody encrypts it.
  const caution =
    /^Caution: Partition 1 doesn't end on a \d+-sector boundary\. This may\nresult in problems with some disk encryption tools\.\n/m;
  assert.match(stdout.replace(caution, "").trim(), /^No problems found\. [^\n]*\n[^\n]*in size\.$/);
});

/** The form in which a GUID lies on disk, as xorriso prints it. Spec: UEFI 2.10 appendix A. */
function mixedEndian(guid: string): string {
  const [a = "", b = "", c = "", ...rest] = guid.split("-");
  const reverse = (hex: string): string => Buffer.from(Buffer.from(hex, "hex").toReversed()).toString("hex");
  return [reverse(a), reverse(b), reverse(c), ...rest].join("");
}
