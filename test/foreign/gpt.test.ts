// SPDX-License-Identifier: Apache-2.0
// sgdisk and sfdisk judge our partition tables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bytesLayout, placeLayouts } from "../../builder/layout/extent.ts";
import { PARTITION_TYPES, encodeGpt } from "../../builder/layout/gpt.ts";
import type { GptRequest } from "../../builder/layout/gpt.ts";
import { encodeProtectiveMbr } from "../../builder/layout/mbr.ts";
import { GPT_SAMPLE, gptPartition } from "../layout/gpt-samples.ts";
import { writeLayout } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "gpt-"));
after(() => rmSync(dir, { recursive: true }));

const FULL = Array.from({ length: 128 }, (_, i) =>
  gptPartition(i + 1, { firstLba: 2048 * (i + 1), lastLba: 2048 * (i + 2) - 1 }),
);
const VARIANTS: readonly (readonly [name: string, request: GptRequest])[] = [
  ["sample", GPT_SAMPLE],
  ["empty", { ...GPT_SAMPLE, partitions: [] }],
  ["full", { ...GPT_SAMPLE, totalSectors: 2048 * 130, partitions: FULL }],
  ["over-2-tib", { ...GPT_SAMPLE, totalSectors: 2 ** 32 + 4096 }],
];

function writeDisk(name: string, request: GptRequest): string {
  const path = join(dir, `${name}.img`);
  const { sectorBytes, totalSectors } = request;
  const gpt = encodeGpt(request);
  const parts = [
    { what: "mbr", offset: 0, layout: bytesLayout(encodeProtectiveMbr({ totalSectors })) },
    { what: "primary", offset: sectorBytes, layout: bytesLayout(gpt.primary) },
    { what: "backup", offset: gpt.backupEntriesLba * sectorBytes, layout: bytesLayout(gpt.backup) },
  ];
  writeLayout(path, placeLayouts(totalSectors * sectorBytes, parts));
  return path;
}

for (const [name, request] of VARIANTS) {
  test(`sgdisk and sfdisk find no problem in the disk "${name}"`, async () => {
    const run = await judge();
    const path = writeDisk(name, request);
    const verified = await run(["sgdisk", "-v", path], [dir]);
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, /No problems found/);
    assert.doesNotMatch(verified.stdout, /caution|warning|hybrid/i);
    const listed = await run(["sfdisk", "--verify", path], [dir]);
    assert.equal(listed.exitCode, 0, listed.stdout + listed.stderr);
    assert.equal(listed.stderr.trim(), "");
  });
}

test("sfdisk reads names, types, GUIDs and attributes as we wrote them", async () => {
  const run = await judge();
  const { stdout } = await run(["sfdisk", "--json", writeDisk("json", GPT_SAMPLE)], [dir]);
  const { partitiontable: table } = JSON.parse(stdout) as { partitiontable: SfdiskTable };
  assert.deepEqual([table.id, table.firstlba, table.lastlba], [GPT_SAMPLE.diskGuid.toUpperCase(), 34, 262_110]);
  assert.deepEqual(
    table.partitions.map(({ start, size, type, uuid, name }) => ({ start, size, type, uuid, name })),
    GPT_SAMPLE.partitions.map(({ firstLba, lastLba, typeGuid, guid, name }) => ({
      start: firstLba,
      size: lastLba - firstLba + 1,
      type: typeGuid.toUpperCase(),
      uuid: guid.toUpperCase(),
      name,
    })),
  );
  assert.equal(table.partitions[0]?.attrs, "LegacyBIOSBootable");
});

interface SfdiskTable {
  readonly id: string;
  readonly firstlba: number;
  readonly lastlba: number;
  readonly partitions: readonly { readonly [key: string]: unknown; readonly attrs?: string }[];
}

test("sgdisk finds damage in the backup table, so it does look", async () => {
  const run = await judge();
  const gpt = encodeGpt(GPT_SAMPLE);
  gpt.backup[200] = 1;
  const path = join(dir, "damaged.img");
  const parts = [
    { what: "mbr", offset: 0, layout: bytesLayout(encodeProtectiveMbr({ totalSectors: GPT_SAMPLE.totalSectors })) },
    { what: "primary", offset: 512, layout: bytesLayout(gpt.primary) },
    { what: "backup", offset: gpt.backupEntriesLba * 512, layout: bytesLayout(gpt.backup) },
  ];
  writeLayout(path, placeLayouts(GPT_SAMPLE.totalSectors * 512, parts));
  assert.doesNotMatch((await run(["sgdisk", "-v", path], [dir])).stdout, /No problems found/);
});

test("sfdisk recognises our partition types", async () => {
  const run = await judge();
  const { stdout } = await run(["sfdisk", "--list-types", "--label", "gpt"], [dir]);
  for (const guid of Object.values(PARTITION_TYPES)) assert.ok(stdout.includes(guid.toUpperCase()), guid);
});
