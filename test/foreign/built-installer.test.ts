// SPDX-License-Identifier: Apache-2.0
// oras judges the installer: it reads the image out of the archive, writes its files, and copies it to a registry. cpio
// lists the archive.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { startRegistry } from "../registry/test-registry.ts";
import { buildImages } from "./built-images.ts";
import { extractRange } from "./fat-volume.ts";
import { judge } from "./judge.ts";

const images = await buildImages(["installer", "root"]);
const archive = images.path("installer");
const plan = images.planOf("installer");
const image = `${archive}:${images.core.version}`;

async function run(...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await (await judge(true))(argv, [images.dir]);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

test("cpio lists the members of the archive", async () => {
  const listed = await run("cpio", "-it", "--quiet", "--format=ustar", "-F", archive);
  const layers = plan.carried.files.length;
  const lines = listed.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 2), ["oci-layout", "index.json"]);
  assert.equal(lines.filter((line) => /^blobs\/sha256\/[0-9a-f]{64}$/.test(line)).length, layers + 2);
});

test("oras writes the files of the image as planned", async () => {
  const out = join(images.dir, "pulled");
  mkdirSync(out);
  await run("oras", "pull", "--oci-layout", image, "--output", out);
  for (const { name, offset, size } of plan.carried.files) {
    const planned = extractRange(archive, offset, size, join(images.dir, "planned"));
    assert.equal(digestOf(join(out, name)), digestOf(planned), name);
  }
  const root = plan.carried.files.find(({ name }) => name.endsWith(".root")) ?? assert.fail();
  assert.equal(digestOf(join(out, root.name)), digestOf(images.path("root")));
});

test("oras copies the image to a registry, where it has the planned digest", async () => {
  const registry = await startRegistry();
  after(() => registry.close());
  await run("oras", "copy", "--from-oci-layout", image, "--to-plain-http", `${registry.host}/dodeka:1`);
  const { digest } = plan.manifest;
  assert.ok(registry.manifests.has(`sha256:${digest}`), [...registry.manifests.keys()].join(" "));
  assert.equal(registry.blobs.size, plan.carried.files.length + 1);
});

function digestOf(path: string): string {
  return sha256(readFileSync(path));
}
