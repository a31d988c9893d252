// SPDX-License-Identifier: Apache-2.0
// ukify, bootctl, sbverify and objdump judge the UKIs: the stand-alone one and the one on the ESP.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import type { PlacedItem } from "../../builder/plan/plan.ts";
import { buildImages } from "./built-images.ts";
import { copyFromFat, extractRange } from "./fat-volume.ts";
import type { JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";

const images = await buildImages(["uki", "iso", "kernel", "initramfs", "cmdline"]);
const { core } = images;
const UKI_NAME = `EFI/Linux/dodeka_${core.version}.efi`;

async function run(...argv: readonly string[]): Promise<JudgeResult> {
  const result = await (await judge())(argv, [images.dir]);
  assert.equal(result.exitCode, 0, result.stderr);
  return result;
}

interface Judged {
  readonly path: string;
  readonly sections: readonly PlacedItem[];
}

/** The UKI as firmware reads it from the ESP. */
async function ukiBeside(): Promise<Judged> {
  const { partitions, uki } = images.planOf("iso");
  const path = join(images.dir, "beside.efi");
  const esp = extractRange(images.path("iso"), partitions[0]?.offset ?? 0, partitions[0]?.size ?? 0, `${path}.esp`);
  await copyFromFat(esp, UKI_NAME, path);
  return { path, sections: uki };
}

const UKIS: readonly (readonly [name: string, find: () => Promise<Judged>])[] = [
  ["stand-alone UKI", async () => ({ path: images.path("uki"), sections: images.planOf("uki").sections })],
  ["UKI on the ESP", ukiBeside],
];

for (const [name, find] of UKIS) {
  test(`ukify finds the planned sections in the ${name}`, async () => {
    const { path, sections } = await find();
    const bytes = readFileSync(path);
    const { stdout, stderr } = await run("ukify", "--json=short", "inspect", path);
    assert.equal(stderr, "");
    const found = JSON.parse(stdout) as Readonly<Record<string, { size: number; sha256: string }>>;
    assert.deepEqual(Object.keys(found).sort(), sections.map((s) => s.name).sort());
    for (const { name: section, offset, size } of sections) {
      assert.equal(found[section]?.sha256, sha256(bytes.subarray(offset, offset + size)), section);
    }
  });

  test(`bootctl takes the ${name} for what the plan says`, async () => {
    const { path } = await find();
    assert.equal((await run("bootctl", "kernel-identify", path)).stdout.trim(), "uki");
    const { stdout, stderr } = await run("bootctl", "kernel-inspect", path);
    assert.equal(stderr, "");
    const fields = Object.fromEntries(stdout.split("\n").map((line) => line.trim().split(/: (.*)/, 2)));
    assert.deepEqual(
      [fields["Kernel Type"], fields["Cmdline"], fields["Version"], fields["OS"]],
      ["uki", core.commandLine, core.kernel.release, `Dodeka ${core.version}`],
    );
  });

  test(`sbverify and objdump read the headers of the ${name}`, async () => {
    const { path } = await find();
    const signatures = await run("sbverify", "--list", path);
    assert.match(signatures.stderr, /^No signature table present\s*$/); // nothing is signed yet; any other line is a defect
    const { stdout, stderr } = await run("objdump", "-p", path);
    assert.equal(stderr, "");
    const header = (field: string): number =>
      Number(`0x${new RegExp(`^${field}\\s+([0-9a-f]+)`, "m").exec(stdout)?.[1]}`);
    assert.match(stdout, /^Subsystem\s+0000000a\s+\(EFI application\)$/m);
    assert.equal(header("SizeOfImage") % header("SectionAlignment"), 0);
    assert.ok(header("SizeOfImage") >= readFileSync(path).length, "the image does not hold the whole file");
    assert.equal(/NX_COMPAT/.test(stdout), core.kernel.nxCompatible);
  });
}

test("kernel, initramfs and command line are what the stand-alone UKI holds", async () => {
  const bytes = readFileSync(images.path("uki"));
  for (const [kind, section] of [
    ["kernel", ".linux"],
    ["initramfs", ".initrd"],
    ["cmdline", ".cmdline"],
  ] as const) {
    const placed = images.planOf("uki").sections.find((s) => s.name === section);
    const held = bytes.subarray(placed?.offset, (placed?.offset ?? 0) + (placed?.size ?? 0));
    assert.equal(sha256(readFileSync(images.path(kind))), sha256(held), kind);
  }
});
