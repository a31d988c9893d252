// SPDX-License-Identifier: Apache-2.0
// The way from an archive to packages in the store, against a small archive on this machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchBytes } from "../../builder/host/fetch.ts";
import { hasBlob } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Mirrors } from "../../builder/release/apt-config.ts";
import { fetchPackages } from "../../builder/release/fetch-packages.ts";
import type { Lock } from "../../builder/release/lock.ts";
import { packagesOf, parseLock, renderLock } from "../../builder/release/lock.ts";
import { PACKAGE_GROUPS } from "../../builder/release/package-groups.ts";
import { describeLockChange, refreshLock } from "../../builder/release/refresh-lock.ts";
import { serveFiles } from "../host/local-server.ts";
import { temporaryStore } from "../host/temp-store.ts";
import type { SamplePackage } from "./archive-samples.ts";
import { ARCHIVE_DATE, archiveKey, poolPath, sampleArchive } from "./archive-samples.ts";

const key = await archiveKey();
const patience = { pausesMs: [1], idleMs: 2000 };

/** Every package that some group asks for, and a kernel behind its meta package. */
function samplePackages(version: string): readonly SamplePackage[] {
  const names = [...new Set(PACKAGE_GROUPS.flatMap((group) => group.packages))];
  const meta = { name: "linux-image-amd64", version, fields: { Depends: "linux-image-6.12-amd64 (= 1)" } };
  const plain = names.filter((name) => name !== meta.name).map((name) => ({ name, version }));
  return [...plain, meta, { name: "linux-image-6.12-amd64", version }];
}

interface Archive {
  readonly files: Map<string, Uint8Array>;
  readonly mirrors: () => Promise<Mirrors>;
  readonly asked: readonly string[];
  readonly refresh: () => Promise<Lock>;
}

async function startArchive(packages: readonly SamplePackage[]): Promise<Archive> {
  const files = await sampleArchive(packages, key);
  const { base, asked } = await serveFiles(files);
  const refresh = (): Promise<Lock> =>
    refreshLock({
      keyring: key.keyring,
      nowSeconds: ARCHIVE_DATE,
      fetchDocument: (_archive, path, maxBytes) => fetchBytes(`${base}/${path}`, path, maxBytes, { patience }),
    });
  return { files, asked, refresh, mirrors: async () => ({ debian: base, "debian-security": base }) };
}

test("a lock refreshed from an archive brings exactly its packages into the store, once", async () => {
  const { refresh, mirrors, asked } = await startArchive(samplePackages("1.0"));
  const lock = await refresh();
  assert.equal(lock.epochSeconds, ARCHIVE_DATE);
  assert.deepEqual(
    Object.keys(lock.groups),
    PACKAGE_GROUPS.map((g) => g.name),
  );
  const kernels = lock.packages.map((p) => p.name).filter((name) => name.startsWith("linux-image"));
  assert.deepEqual(kernels, ["linux-image-6.12-amd64"]); // the meta package stands for it
  assert.deepEqual(parseLock(renderLock(lock), "lock"), lock);

  const store = await temporaryStore();
  const parts = packagesOf(lock, "parts");
  assert.equal(await fetchPackages(store, parts, mirrors, { patience }), parts.length);
  for (const { sha256: digest } of parts) assert.ok(await hasBlob(store, digest));
  const before = asked.length;
  const offline = (): Promise<Mirrors> => assert.fail("a complete store needs no mirror");
  assert.equal(await fetchPackages(store, parts, offline, { patience }), 0);
  assert.equal(asked.length, before);
});

test("fetchPackages names a package that the archive no longer has, and says to refresh the lock", async () => {
  const { refresh, mirrors, files } = await startArchive(samplePackages("1.0"));
  const lock = await refresh();
  files.delete(`/${poolPath({ name: "ca-certificates" })}`);
  const error = await fetchPackages(await temporaryStore(), packagesOf(lock, "parts"), mirrors, { patience }).catch(
    (e: unknown) => e,
  );
  const { code, details } = error as { code: string; details: { field: string; fix: string } };
  assert.deepEqual([code, details.field], ["SOURCE_GONE", "package ca-certificates 1.0"]);
  assert.match(details.fix, /dodeka lock/);
});

test("fetchPackages refuses a package whose bytes do not match the lock", async () => {
  const { refresh, mirrors, files } = await startArchive(samplePackages("1.0"));
  const lock = await refresh();
  const path = `/${poolPath({ name: "ca-certificates" })}`;
  const other = Buffer.alloc(files.get(path)?.length ?? 0, "x");
  files.set(path, other);
  const store = await temporaryStore();
  await assert.rejects(fetchPackages(store, packagesOf(lock, "parts"), mirrors, { patience }), {
    code: "LOCK_MISMATCH",
    message: /ca-certificates/,
  });
  assert.equal(await hasBlob(store, sha256(other)), false);
});

test("refreshLock refuses an index entry that no lock may hold, signed or not", async () => {
  const packages = samplePackages("1.0").map((p) =>
    p.name === "bash" ? { ...p, fields: { Filename: "pool/../../etc/passwd.deb" } } : p,
  );
  await assert.rejects((await startArchive(packages)).refresh(), { code: "LOCK_INVALID", message: /packages\.bash/ });
});

test("refreshLock names a package that the archive does not have", async () => {
  const packages = samplePackages("1.0").filter((p) => p.name !== "bubblewrap");
  await assert.rejects((await startArchive(packages)).refresh(), { code: "LOCK_INVALID", message: /bubblewrap/ });
});

test("describeLockChange tells what a refresh changed", async () => {
  const before = await (await startArchive(samplePackages("1.0"))).refresh();
  const packages = samplePackages("1.0").map((p): SamplePackage => {
    if (p.name === "bash") return { ...p, version: "1.1" };
    if (p.name === "grub-common") return { ...p, content: Buffer.from("rebuilt") };
    return p.name === "coreutils" ? { ...p, fields: { Depends: "libnew" } } : p;
  });
  const after = await (await startArchive([...packages, { name: "libnew", version: "3" }])).refresh();
  const changes = ["bash 1.0 -> 1.1", "grub-common 1.0: the same version with other bytes", "+ libnew 3"];
  assert.deepEqual(describeLockChange(before, after).slice(0, 3), changes);
  assert.ok(describeLockChange(before, after).includes("compile: + libnew"));
  assert.deepEqual(describeLockChange(after, before)[2], "- libnew 3");
  assert.deepEqual(describeLockChange(before, before), []);
});
