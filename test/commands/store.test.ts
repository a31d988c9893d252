// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { join } from "node:path";
import { blobPath, hasBlob, putBytes } from "../../builder/host/store.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";
import { dodeka, storeWithRelease } from "./dodeka.ts";

const { release } = fakeRelease();

describe("dodeka store", { concurrency: 2 }, () => {
  test("verify passes a whole store, and fails on damage until it is repaired", async () => {
    const store = await storeWithRelease();
    assert.equal((await dodeka(["store", "verify"], { store })).exitCode, 0);
    const path = blobPath(store, release.parts.kernel.digest);
    const { mtime } = statSync(path);
    chmodSync(path, 0o644);
    writeFileSync(path, readFileSync(path).toReversed());
    utimesSync(path, mtime, mtime); // so that only hashing finds it
    const found = await dodeka(["store", "verify"], { store });
    assert.deepEqual([found.exitCode, found.stdout.includes(path)], [74, true]);
    assert.equal((await dodeka(["store", "verify", "--repair"], { store })).exitCode, 0);
    assert.equal(await hasBlob(store, release.parts.kernel.digest), false);
    const plan = await dodeka(["plan", "metal"], { store });
    assert.equal(plan.exitCode, 74);
    assert.match(plan.stderr, /fix: run `dodeka release build`/);
  });

  test("gc keeps what the release needs, and what is young", async () => {
    const store = await storeWithRelease();
    const lost = await putBytes(store, "nobody needs this");
    const { exitCode, stdout, stderr } = await dodeka(["store", "gc", "--json"], { store });
    assert.equal(exitCode, 0, stderr);
    const result = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; value?: unknown })[0];
    assert.deepEqual(result, { event: "result", value: { blobs: [], paths: [], bytes: 0 } });
    assert.equal(await hasBlob(store, lost.digest), true);
    for (const { digest } of Object.values(release.parts)) assert.ok(await hasBlob(store, digest));
  });

  test("gc removes what a killed process left, and only names it with --dry-run", async () => {
    const store = await storeWithRelease();
    const path = join(store.dir, "tmp", "999999999-left");
    writeFileSync(path, "");
    const dry = await dodeka(["store", "gc", "--dry-run"], { store });
    assert.deepEqual([dry.stdout, statSync(path).size], [`${path}\n`, 0]);
    assert.equal((await dodeka(["store", "gc"], { store })).exitCode, 0);
    assert.throws(() => statSync(path), { code: "ENOENT" });
  });
});

test("dodeka release show prints the manifest and its digest", async () => {
  const store = await storeWithRelease();
  const { stdout } = await dodeka(["release", "show"], { store });
  const { digest, ...shown } = JSON.parse(stdout) as { digest: string };
  assert.deepEqual(shown, release);
  assert.equal((await dodeka(["release", "show", digest], { store })).stdout, stdout);
});

test("dodeka doctor goes on after a check that fails, and names each remedy", async () => {
  const store = await storeWithRelease();
  const { exitCode, stdout } = await dodeka(["doctor", "--json"], {
    store: { dir: join(store.dir, "refs", "release-amd64", "store") },
  });
  const { value } = JSON.parse(stdout) as { value: readonly { name: string; level: string; fix?: string }[] };
  assert.equal(exitCode, 69);
  assert.ok(value.length >= 7 && value[0]?.level === "ok");
  const store_ = value.find((finding) => finding.name === "store");
  assert.match(store_?.fix ?? "", /DODEKA_STORE/);
});
