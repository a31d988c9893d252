// SPDX-License-Identifier: Apache-2.0
// fsck.fat and mtools judge our FAT32 volumes.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Fat32Options } from "../../builder/layout/fat32.ts";
import { layoutFat32, minimumFat32Bytes } from "../../builder/layout/fat32.ts";
import { AWKWARD_FILES, fatFile, fatOptions } from "../layout/fat32-samples.ts";
import { layoutBytes, writeLayout } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "fat32-"));
after(() => rmSync(dir, { recursive: true }));

const VARIANTS: readonly (readonly [name: string, over: Partial<Fat32Options>])[] = [
  ["512", {}],
  ["4096", { sectorBytes: 4096, lengthBytes: 300 * 2 ** 20 }],
  [
    "iso",
    {
      fileAlignment: 2048,
      lengthBytes: minimumFat32Bytes({ files: AWKWARD_FILES, sectorBytes: 512, fileAlignment: 2048 }),
    },
  ],
  ["large", { lengthBytes: 20 * 2 ** 30 }],
  ["bare", { files: [] }],
  ["fragments", { files: [fatFile("A", 1), fatFile("B", 1)], fileAlignment: 2 ** 20 }],
];

for (const [name, over] of VARIANTS) {
  const image = join(dir, `${name}.img`);

  test(`fsck.fat has no complaint about the volume "${name}"`, async () => {
    const run = await judge();
    const options = fatOptions(over);
    writeLayout(image, layoutFat32(options).layout);
    const result = await run(["fsck.fat", "-n", image], [dir]);
    const lines = result.stdout.trim().split("\n");
    assert.equal(result.exitCode, 0, result.stdout + result.stderr);
    assert.equal(lines.length, 2, result.stdout); // its version, and the summary below
    assert.match(lines[1] ?? "", /: \d+ files, \d+\/\d+ clusters$/);
    assert.equal(result.stderr, "");
  });

  if (over.files?.length === 0) continue; // mtools calls an empty root an error

  test(`mtools copies every file out of the volume "${name}" with its bytes`, async () => {
    const run = await judge();
    const options = fatOptions(over);
    writeLayout(image, layoutFat32(options).layout);
    const out = join(dir, `${name}.out`);
    mkdirSync(out);
    const copied = await run(["mcopy", "-s", "-n", "-i", image, "::/*", out], [dir]);
    assert.equal(copied.exitCode, 0, copied.stdout + copied.stderr);
    for (const { path, content } of options.files) {
      assert.ok(readFileSync(join(out, asMtools(path))).equals(layoutBytes(content)), path);
    }
    const listing = await run(["mdir", "-/", "-b", "-a", "-i", image, "::/"], [dir]);
    assert.equal(listing.exitCode, 0, listing.stderr);
    const files = listing.stdout.split("\n").filter((line) => line !== "" && !line.endsWith("/"));
    assert.deepEqual(files.map((f) => f.slice("::/".length)).sort(), options.files.map((f) => asMtools(f.path)).sort());
  });
}

/** In the C locale mtools writes an underscore for each UTF-16 unit outside ASCII. */
function asMtools(path: string): string {
  return path.replaceAll(/[\u0080-\uffff]/g, "_");
}
