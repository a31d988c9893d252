// SPDX-License-Identifier: Apache-2.0
// sgdisk, sfdisk, fsck.fat, mtools and systemd-dissect judge the raw image, with both sector sizes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";
import { buildImages } from "./built-images.ts";
import { extractRange, listFat } from "./fat-volume.ts";

interface SfdiskTable {
  readonly partitiontable: {
    readonly label: string;
    readonly id: string;
    readonly sectorsize: number;
    readonly partitions: readonly Readonly<Record<"start" | "size" | "type" | "uuid" | "name", string | number>>[];
  };
}

for (const sectorSize of ["512", "4096"] as const) {
  const images = await buildImages(["raw"], { sectorSize });
  const plan = images.planOf("raw");
  const image = images.path("raw");
  const run = async (...argv: readonly string[]): Promise<JudgeResult> => (await judge())(argv, [images.dir]);

  test(`sfdisk finds no error in a raw image with sectors of ${sectorSize}`, async () => {
    const result = await run("sfdisk", "--verify", "--sector-size", sectorSize, image);
    assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
    assert.match(result.stdout, /^No errors detected\.$/m);
  });

  test(`sfdisk reads the plan's partitions from a raw image with sectors of ${sectorSize}`, async () => {
    const result = await run("sfdisk", "--json", "--sector-size", sectorSize, image);
    assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
    const table = (JSON.parse(result.stdout) as SfdiskTable).partitiontable;
    assert.deepEqual([table.label, table.id.toLowerCase(), table.sectorsize], ["gpt", plan.diskGuid, plan.sectorBytes]);
    const found = table.partitions.map((p) => ({
      name: p.name,
      offset: Number(p.start) * plan.sectorBytes,
      size: Number(p.size) * plan.sectorBytes,
      typeGuid: String(p.type).toLowerCase(),
      guid: String(p.uuid).toLowerCase(),
    }));
    assert.deepEqual(found, plan.partitions);
  });

  test(`fsck.fat and mtools accept the ESP of a raw image with sectors of ${sectorSize}`, async () => {
    const esp = plan.partitions.find((p) => p.name === "EFI");
    assert.ok(esp !== undefined);
    const volume = extractRange(image, esp.offset, esp.size, `${image}.esp`);
    const fsck = await run("fsck.fat", "-n", "-v", volume);
    assert.deepEqual([fsck.exitCode, fsck.stderr], [0, ""]);
    assert.match(fsck.stdout, new RegExp(`^ +${sectorSize} bytes per logical sector$`, "m"));
    assert.doesNotMatch(fsck.stdout, /differ|warning|error|dirty|wrong|bad|orphan|lost|unused cluster [^s]/i);
    assert.deepEqual(await listFat(volume), plan.esp.files.map((f) => f.name).sort());
  });

  test(`systemd-dissect finds the partitions that it wants in a raw image with sectors of ${sectorSize}`, async () => {
    // --validate reads the file itself. Everything else that it does with an image needs a loop device, thus root.
    const result = await run("systemd-dissect", "--validate", image);
    assert.deepEqual([result.exitCode, result.stderr, result.stdout.trim()], [0, "", "OK"]);
  });

  // gdisk takes the sector size from the device; for a file it is 512 and cannot be changed.
  if (sectorSize === "4096") continue;
  test("sgdisk finds no problem in a raw image with sectors of 512", async () => {
    const result = await run("sgdisk", "--verify", image);
    assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
    assert.match(result.stdout.trim(), /^No problems found\. \d+ free sectors [^.]*\.\d[^.]*\.\d[^.]*in size\.$/);
  });
}
