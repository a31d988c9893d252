// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planAllImages, planImages } from "../../builder/artifacts/outputs.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { sliceLayout } from "../../builder/layout/extent.ts";
import type { OutputPlan, PlacedItem } from "../../builder/plan/plan.ts";
import { collect } from "../encode/blob-samples.ts";
import { METAL, planOf } from "../plan/sample-plans.ts";
import { fakeRelease } from "./fake-release.ts";

const fake = fakeRelease();
const { plan, outputs } = planOf(METAL, fake);
const known = { parts: fake.small, blobs: fake.source };
const { outputs: made } = await planAllImages(plan.core, ["raw", "installer"], known);
const installer = made[1] ?? assert.fail();
const described = installer.plan as Extract<OutputPlan, { kind: "installer" }>;

async function bytesAt(layout: typeof installer.layout, { offset, size }: PlacedItem): Promise<Uint8Array> {
  return collect(readLayout(sliceLayout(layout, offset, offset + size), fake.source));
}

test("an installer is an image whose layers are the version's files on the ESP, under a name of their own", async () => {
  const at = (name: string): PlacedItem => described.documents.find((d) => d.name === name) ?? assert.fail(name);
  const manifestName = `blobs/sha256/${described.manifest.digest}`;
  const [index, manifest] = await Promise.all(
    ["index.json", manifestName].map(async (name) => {
      const bytes = Buffer.from(await bytesAt(installer.layout, at(name)));
      return JSON.parse(bytes.toString()) as { manifests: [object]; layers: { annotations: object; digest: string }[] };
    }),
  );
  assert.deepEqual(index?.manifests, [
    {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${described.manifest.digest}`,
      size: described.manifest.size,
      artifactType: "application/vnd.dodeka.installer.v1",
      annotations: { "org.opencontainers.image.ref.name": "1.2.3" },
    },
  ]);
  const [raw] = outputs;
  assert.ok(raw?.plan.kind === "raw");
  const esp = raw.plan.partitions[0] ?? assert.fail();
  const onDisk = raw.plan.esp.files.find(({ name }) => name.endsWith("/dodeka_1.2.3.efi")) ?? assert.fail();
  const uki = await bytesAt(raw.layout, { ...onDisk, offset: esp.offset + onDisk.offset });
  const entry = `dodeka_1.2.3_${sha256(uki).slice(0, 12)}`;
  const names = [`grub/${entry}.cfg`, `EFI/Linux/${entry}.efi`, `dodeka/${fake.release.root.hash}.root`];
  assert.deepEqual(
    described.carried.files.map(({ name }) => name),
    names,
  );
  for (const [i, file] of described.carried.files.entries()) {
    const { annotations, digest } = manifest?.layers[i] ?? assert.fail();
    assert.deepEqual(annotations, { "org.opencontainers.image.title": names[i] });
    assert.equal(digest, `sha256:${sha256(await bytesAt(installer.layout, file))}`);
  }
  const commands = Buffer.from(await bytesAt(installer.layout, described.carried.files[0] ?? assert.fail())).toString();
  assert.ok(commands.includes(`loopback ${entry} /EFI/Linux/${entry}.efi\n`), commands);
});

test("an installer whose arguments GRUB would change has nothing for GRUB", async () => {
  const profile = `${METAL}kernelArguments: {add: ['dyndbg="file a +p"']}\n`.replace("[raw, iso, uki]", "[uki]");
  const core = planOf(profile, fake).plan.core;
  const { outputs: quoted } = await planAllImages(core, ["installer"], known);
  const [only] = quoted.map((output) => output.plan);
  assert.ok(only?.kind === "installer");
  assert.deepEqual(
    only.carried.files.map(({ name }) => name.split("/")[0]),
    ["EFI", "dodeka"],
  );
});

test("an installer cannot be planned without reading the kernel", () => {
  assert.throws(() => planImages(plan.core, ["installer"], fake.small), /without its UKI's digest/);
});
