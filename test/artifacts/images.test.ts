// SPDX-License-Identifier: Apache-2.0
// What the images hold, read back by our own decoders; foreign tools judge the real ones in test/foreign.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PlannedOutput } from "../../builder/artifacts/planned.ts";
import type { BlobSource } from "../../builder/encode/read-layout.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import type { Sha256 } from "../../builder/layout/digest.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { sliceLayout } from "../../builder/layout/extent.ts";
import type { OutputPlan, PlacedItem } from "../../builder/plan/plan.ts";
import { collect } from "../encode/blob-samples.ts";
import { EVERY_FIELD, METAL, planOf } from "../plan/sample-plans.ts";
import { fakeRelease } from "./fake-release.ts";

const fake = fakeRelease();
const { outputs } = planOf(METAL, fake);
const every = planOf(EVERY_FIELD, fake).outputs;

type PlanOf<K extends OutputPlan["kind"]> = Extract<OutputPlan, { kind: K }>;

function outputOf<K extends OutputPlan["kind"]>(
  from: readonly PlannedOutput[],
  kind: K,
): { layout: Layout; plan: PlanOf<K> } {
  const found = from.find((output) => output.plan.kind === kind) ?? assert.fail(kind);
  return { layout: found.layout, plan: found.plan as PlanOf<K> };
}

const raw = outputOf(outputs, "raw");
const iso = outputOf(outputs, "iso");
const uki = outputOf(outputs, "uki");

const bytesOf = (layout: Layout): Promise<Uint8Array> => collect(readLayout(layout, fake.source));
const part = (layout: Layout, { offset, size }: { offset: number; size: number }): Layout =>
  sliceLayout(layout, offset, offset + size);

async function textAt(layout: Layout, item: { offset: number; size: number }): Promise<string> {
  return Buffer.from(await bytesOf(part(layout, item))).toString("latin1");
}

function itemNamed(items: readonly PlacedItem[], name: string): PlacedItem {
  return (
    items.find((item) => item.name === name) ?? assert.fail(`no ${name} among ${items.map((i) => i.name).join(" ")}`)
  );
}

/** A file of the ESP as a place in the whole image. */
function espFile({ plan }: { plan: PlanOf<"raw"> | PlanOf<"iso"> }, name: string): PlacedItem {
  const esp = itemNamed(plan.partitions, "EFI");
  const file = itemNamed(plan.esp.files, name);
  return { ...file, offset: esp.offset + file.offset };
}

for (const { plan, layout } of [...outputs, ...every]) {
  test(`${plan.file}'s layout is as long as its plan says and touches only blobs of the release`, () => {
    assert.equal(layout.length, plan.size);
    let at = 0;
    for (const { offset, length, source } of layout.extents) {
      assert.equal(offset, at);
      at += length;
      if (source.kind !== "blob" || source.digest === planOf(EVERY_FIELD, fake).plan.core.machineConfig?.digest)
        continue;
      assert.ok(source.offset + length <= (fake.blobs.get(source.digest)?.length ?? 0));
    }
    assert.equal(at, layout.length);
  });
}

/** Where the bytes of a blob are in a layout, in the order of the blob. */
function slicesOf(layout: Layout, digest: Sha256): readonly (readonly [number, number])[] {
  const slices = layout.extents.flatMap(({ source, length }) =>
    source.kind === "blob" && source.digest === digest ? [[source.offset, source.offset + length] as const] : [],
  );
  return slices.sort(([a], [b]) => a - b);
}

for (const [name, layout, ukis] of [
  ["raw", raw.layout, 1],
  ["iso", iso.layout, 1],
  ["uki", uki.layout, 2], // itself, and the one that it carries for an installation
] as const) {
  for (const [blob, times] of [
    ["kernel", ukis],
    ["initramfs", ukis],
    ["root", 1],
  ] as const) {
    test(`the ${name} image holds every byte of the ${blob} ${times === 1 ? "once" : "twice"}`, () => {
      const { digest, size } = fake.release.parts[blob];
      const slices = slicesOf(layout, digest);
      let at = 0;
      for (const [start, end] of slices.filter((_, i) => i % times === 0)) {
        assert.equal(start, at);
        at = end;
      }
      assert.equal(at, size);
      assert.equal(
        slices.reduce((sum, [start, end]) => sum + end - start, 0),
        times * size,
      );
    });
  }
}

for (const kind of ["uki", "initramfs"] as const) {
  test(`the stand-alone ${kind} carries the ISO's ESP files where the plan says`, async () => {
    const { layout, plan } = outputOf(planOf(METAL.replace("[raw, iso, uki]", `[${kind}]`), fake).outputs, kind);
    assert.deepEqual(
      plan.carried.files.map((f) => f.name),
      iso.plan.esp.files.map((f) => f.name),
    );
    assert.deepEqual(plan.carried.uki, iso.plan.uki);
    for (const item of plan.carried.files) {
      assert.deepEqual(await bytesOf(part(layout, item)), await bytesOf(part(iso.layout, espFile(iso, item.name))));
    }
  });
}

test("every ISO9660 file but GRUB's loader is the ESP's file of that name, the same bytes at the same place", () => {
  const { files } = iso.plan;
  const own = files.filter((file) => !file.name.startsWith("boot"));
  assert.deepEqual(own.map((f) => f.name).sort(), iso.plan.esp.files.map((f) => f.name).sort());
  for (const file of own) assert.deepEqual(file, espFile(iso, file.name));
});

test("files on the ESP lie where the plan says", async () => {
  for (const image of [raw, iso]) {
    const boot = espFile(image, "EFI/BOOT/BOOTX64.EFI");
    assert.deepEqual(
      await bytesOf(part(image.layout, boot)),
      Buffer.from(fake.blobs.get(fake.release.parts["systemd-boot"].digest) ?? []),
    );
    const root = espFile(image, `dodeka/${fake.release.root.hash}.root`);
    assert.deepEqual(
      await bytesOf(part(image.layout, root)),
      Buffer.from(fake.blobs.get(fake.release.parts.root.digest) ?? []),
    );
    assert.equal(root.offset % 4096, 0);
  }
});

test("the UKI's sections hold command line, kernel and initramfs, and the root image only in the stand-alone one", async () => {
  const [beside, alone] = [espFile(raw, "EFI/Linux/dodeka_1.2.3.efi"), uki.plan.sections];
  const section = (name: string): PlacedItem => {
    const found = itemNamed(raw.plan.uki, name);
    return { ...found, offset: beside.offset + found.offset };
  };
  const commandLine = planOf(METAL, fake).plan.core.commandLine;
  assert.equal(await textAt(raw.layout, section(".cmdline")), commandLine);
  assert.equal(await textAt(uki.layout, itemNamed(alone, ".cmdline")), commandLine);
  assert.match(commandLine, new RegExp(`^dodeka\\.root=${fake.release.root.hash} dodeka\\.root\\.blocks=39 `));
  assert.equal(await textAt(raw.layout, section(".uname")), "6.12.0-fake-amd64");
  assert.deepEqual(
    await bytesOf(part(raw.layout, section(".linux"))),
    Buffer.from(fake.blobs.get(fake.release.parts.kernel.digest) ?? []),
  );
  const initrd = itemNamed(alone, ".initrd");
  assert.ok(initrd.size > section(".initrd").size + fake.release.parts.root.size);
  assert.ok((await textAt(uki.layout, initrd)).includes(`esp/dodeka/${fake.release.root.hash}.root`));
});

test("raw and ISO carry the same UKI bytes", async () => {
  const [a, b] = [raw, iso].map((image) => bytesOf(part(image.layout, espFile(image, "EFI/Linux/dodeka_1.2.3.efi"))));
  assert.deepEqual(await a, await b);
});

for (const [name, image] of [
  ["raw", raw],
  ["iso", iso],
] as const) {
  test(`the loaders of the ${name} image boot its one entry`, async () => {
    const [conf, environment] = await Promise.all(
      ["loader/loader.conf", "grub/grubenv"].map((file) => textAt(image.layout, espFile(image, file))),
    );
    assert.match(conf ?? "", /^default dodeka_1\.2\.3\.efi\n#+$/m);
    assert.match(environment ?? "", /^# GRUB Environment Block\ndodeka_entry=dodeka_1\.2\.3\ndodeka_next=\n#+$/);
    assert.deepEqual([conf?.length, environment?.length], [512, 1024]);
  });

  test(`GRUB's entry of the ${name} image points at the kernel and the initramfs inside the UKI`, async () => {
    const config = await textAt(image.layout, espFile(image, "grub/dodeka_1.2.3.cfg"));
    const ukiFile = espFile(image, "EFI/Linux/dodeka_1.2.3.efi");
    assert.match(config, /^loopback dodeka_1\.2\.3 \/EFI\/Linux\/dodeka_1\.2\.3\.efi$/m);
    for (const [command, sectionName, blob] of [
      ["linux", ".linux", "kernel"],
      ["initrd", ".initrd", "initramfs"],
    ] as const) {
      const [, start = "", count = ""] =
        new RegExp(`${command} \\(dodeka_1\\.2\\.3\\)(\\d+)\\+(\\d+)`).exec(config) ?? assert.fail(config);
      const section = itemNamed(image.plan.uki, sectionName);
      assert.deepEqual([Number(start) * 512, Number(count)], [section.offset, Math.ceil(section.size / 512)]);
      const found = await bytesOf(part(image.layout, { offset: ukiFile.offset + Number(start) * 512, size: 1000 }));
      assert.deepEqual(
        found,
        Buffer.from((fake.blobs.get(fake.release.parts[blob].digest) ?? new Uint8Array()).subarray(0, 1000)),
      );
    }
    const words = planOf(METAL, fake).plan.core.commandLine.split(" ");
    assert.ok(config.includes(` ${words.map((word) => `'${word}'`).join(" ")}; then`));
  });
}

test("a disk with 4096-byte sectors has no BIOS partition, and partitions at multiples of 1 MiB", () => {
  const disk = outputOf(planOf(`${METAL}disk: {sectorSize: 4096}\n`, fake).outputs, "raw").plan;
  assert.deepEqual(
    disk.partitions.map((p) => p.name),
    ["EFI", "META"],
  );
  assert.deepEqual(
    raw.plan.partitions.map((p) => p.name),
    ["EFI", "BIOS", "META"],
  );
  for (const { offset, size } of [...disk.partitions, ...raw.plan.partitions])
    assert.deepEqual([offset % 2 ** 20, size % 2 ** 20], [0, 0]);
});

test("a stand-alone image whose arguments GRUB would change carries nothing of GRUB", () => {
  const profile = METAL.replace("[raw, iso, uki]", "[uki]") + `kernelArguments: {add: ['dyndbg="file a +p"']}\n`;
  const { carried } = outputOf(planOf(profile, fake).outputs, "uki").plan;
  const names = iso.plan.esp.files.map((f) => f.name);
  assert.deepEqual(
    carried.files.map((f) => f.name),
    names.filter((name) => !name.startsWith("grub/")),
  );
});

test("an embedded machine configuration is in the initramfs of every image that has one", async () => {
  const config = "version: v1alpha1";
  const withConfig: BlobSource = {
    read: (digest, offset, length) =>
      fake.blobs.has(digest) ? fake.source.read(digest, offset, length) : only(config, offset, length),
  };
  for (const kind of ["raw", "iso", "uki", "initramfs"] as const) {
    const { layout } = outputOf(every, kind);
    const text = Buffer.from(await collect(readLayout(layout, withConfig))).toString("latin1");
    assert.ok(text.includes("dodeka/machine-config") && text.includes(config), kind);
  }
  assert.ok(
    !Buffer.from(await bytesOf(uki.layout))
      .toString("latin1")
      .includes("dodeka/machine-config"),
  );
});

async function* only(text: string, offset: number, length: number): AsyncIterable<Uint8Array> {
  yield Buffer.from(text).subarray(offset, offset + length);
}

for (const [name, { layout }] of [
  ["iso", iso],
  ["uki", uki],
] as const) {
  test(`any byte range of the ${name} image equals that slice of the whole, at every extent edge too`, async () => {
    const whole = await bytesOf(layout);
    const check = async (start: number, end: number): Promise<void> => {
      const range = await collect(readLayout(layout, fake.source, { start, end }));
      assert.equal(Buffer.compare(range, whole.subarray(start, end)), 0, `${start}..${end}`);
    };
    for (const { offset, length } of layout.extents) {
      const edges = [offset - 1, offset, offset + 1, offset + length - 1, offset + length, offset + length + 1];
      const inside = edges.filter((at) => at >= 0 && at <= layout.length);
      for (const at of inside) await check(at, Math.min(layout.length, at + 3));
    }
    const ends = fc.tuple(fc.nat(layout.length), fc.nat(100_000));
    await fc.assert(
      fc.asyncProperty(ends, ([start, size]) => check(start, Math.min(layout.length, start + size))),
      { numRuns: 100 },
    );
  });
}
