// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { findBuildFacts } from "../../builder/commands/build-facts.ts";
import type { BuildFacts } from "../../builder/commands/build-facts.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { findPackage, readLock } from "../../builder/release/lock.ts";
import type { Part, Release } from "../../builder/release/manifest.ts";
import { PART_NAMES } from "../../builder/release/manifest.ts";
import { ROOT } from "../structure/tracked-files.ts";

const USER = { profile: { name: "metal.yaml", text: "format: 1\n" }, overrides: {} };
const kernel = findPackage(readLock(), "parts", /^linux-image/);

function release(origin: readonly string[]): Release {
  const part: Part = { digest: sha256("part"), size: 4, licence: "GPL-2.0-only", origin };
  const parts = Object.fromEntries(PART_NAMES.map((name) => [name, part])) as Record<(typeof PART_NAMES)[number], Part>;
  return {
    format: 1,
    version: "0.1.0",
    arch: "amd64",
    epochSeconds: 1,
    kernel: { flavour: "stock", release: "6.12", nxCompatible: true },
    root: { hash: sha256("root"), dataBlocks: 1 },
    parts,
  };
}

async function facts(origin: readonly string[]): Promise<BuildFacts> {
  return findBuildFacts(USER, release(origin), "0.1.0")();
}

const known = [`deb:${kernel.name}@${kernel.version}`, "dodeka:userland"];

test("the digest of a folder is what sha256sum makes of it", async () => {
  const { sources } = await facts(known);
  const script = `find userland -type f ! -name '.*' ! -name '*~' | LC_ALL=C sort | xargs sha256sum | sha256sum`;
  const expected = execFileSync("/bin/sh", ["-c", script], { cwd: ROOT }).toString().slice(0, 64);
  assert.equal(sources.find(({ name }) => name === "userland")?.digest, expected);
});

test("facts name the lock files and each package of the toolbox and the parts once", async () => {
  const { sources, packages, builder } = await facts(known);
  for (const name of [
    "builder",
    "package-lock.json",
    "userland/go.sum",
    "userland/kubelet/go.sum",
    "builder/release/sources.lock.json",
  ]) {
    assert.ok(
      sources.some((source) => source.name === name),
      name,
    );
  }
  const lock = readLock();
  const expected = new Set([...(lock.groups["compile"] ?? []), ...(lock.groups["parts"] ?? [])]);
  assert.deepEqual(
    packages.map(({ name }) => name),
    [...expected].sort(),
  );
  assert.equal(builder.node.version, process.versions.node);
});

test("a release of packages that the lock does not name gets no provenance", async () => {
  for (const origin of [`deb:${kernel.name}@1.0`, "deb:unheard-of@1.0"]) {
    await assert.rejects(facts([...known, origin]), { code: "RELEASE_INVALID" });
  }
});
