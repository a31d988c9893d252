// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { actionResults, collectGarbage, findGarbage, listBlobs, verifyStore } from "../../builder/host/store-check.ts";
import type { Store } from "../../builder/host/store.ts";
import {
  blobPath,
  checkBlob,
  hasBlob,
  openStore,
  putBytes,
  putFile,
  putStream,
  readBlob,
  readRef,
  readWholeBlob,
  writeRef,
} from "../../builder/host/store.ts";
import type { Sha256 } from "../../builder/layout/digest.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { temporaryDirectory, temporaryStore } from "./temp-store.ts";

const WRITER = fileURLToPath(new URL("store-writer.ts", import.meta.url));
const ABSENT = sha256("nobody stored this");
const HOUR_MS = 3_600_000;

test("putBytes names a blob by its digest, read-only, and readBlob gives any range of it back", async () => {
  const store = await temporaryStore();
  const bytes = Buffer.from("0123456789");
  const blob = await putBytes(store, bytes);
  assert.deepEqual(blob, { digest: sha256(bytes), size: 10 });
  assert.equal(statSync(blobPath(store, blob.digest)).mode & 0o777, 0o444);
  for (const [offset, length] of [
    [0, 10],
    [3, 4],
    [9, 1],
    [0, 0],
  ] as const) {
    const read = Buffer.concat(await Array.fromAsync(readBlob(store, blob.digest, offset, length)));
    assert.equal(read.toString(), "0123456789".slice(offset, offset + length));
  }
  assert.deepEqual(readdirSync(join(store.dir, "tmp")), []);
});

test("putFile and putStream give the same name as putBytes", async () => {
  const store = await temporaryStore();
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "content");
  const want = await putBytes(store, "content");
  assert.deepEqual(await putFile(store, file), want);
  assert.deepEqual(await putStream(store, [Buffer.from("con"), Buffer.from("tent")]), want);
});

test("putStream leaves nothing when the stream fails or its check refuses", async () => {
  const store = await temporaryStore();
  async function* broken(): AsyncIterable<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("the line went dead");
  }
  const refuse = (): never => {
    throw new Error("refused");
  };
  await assert.rejects(putStream(store, broken()), /went dead/);
  await assert.rejects(putStream(store, [Buffer.from("x")], { check: refuse }), /refused/);
  assert.deepEqual([await listBlobs(store), readdirSync(join(store.dir, "tmp"))], [[], []]);
});

test("a blob that is not there is STORE_MISSING however it is asked for", async () => {
  const store = await temporaryStore();
  const code = { name: "FactoryError", code: "STORE_MISSING" };
  await assert.rejects(checkBlob(store, ABSENT), code);
  await assert.rejects(readWholeBlob(store, ABSENT), code);
  await assert.rejects(Array.fromAsync(readBlob(store, ABSENT, 0, 1)), code);
  assert.equal(await hasBlob(store, ABSENT), false);
});

/** Changes one byte and leaves the size. */
function flipByte(path: string, keepTimes: boolean): void {
  const { atime, mtime } = statSync(path);
  chmodSync(path, 0o644);
  const bytes = readFileSync(path);
  bytes[3] = (bytes[3] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  if (keepTimes) utimesSync(path, atime, mtime);
}

test("checkBlob finds a byte that was changed, because the file's time moved", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "0123456789");
  flipByte(blobPath(store, digest), false);
  await assert.rejects(checkBlob(store, digest), { code: "STORE_CORRUPT" });
  await assert.rejects(readWholeBlob(store, digest), { code: "STORE_CORRUPT" });
  assert.equal(await hasBlob(store, digest), false);
});

test("checkBlob finds a wrong size, and readBlob a blob that ends early", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "0123456789");
  await assert.rejects(checkBlob(store, digest, 11), { code: "STORE_CORRUPT" });
  await assert.rejects(Array.fromAsync(readBlob(store, digest, 5, 6)), { code: "STORE_CORRUPT" });
});

test("checkBlob hashes a touched but whole blob once and trusts it from then on", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "0123456789");
  utimesSync(blobPath(store, digest), 5, 5);
  await checkBlob(store, digest);
  assert.equal(statSync(blobPath(store, digest)).mtimeMs, 1000);
});

test("storing a damaged blob again repairs it", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "0123456789");
  flipByte(blobPath(store, digest), false);
  await putBytes(store, "0123456789");
  await checkBlob(store, digest);
});

test("readWholeBlob refuses a blob over its bound", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "0123456789");
  await assert.rejects(readWholeBlob(store, digest, 9), { code: "STORE_CORRUPT" });
  assert.equal(Buffer.from(await readWholeBlob(store, digest, 10)).toString(), "0123456789");
});

test("verifyStore finds damage that kept the file's time, names the blob, and removes it only when asked", async () => {
  const store = await temporaryStore();
  const [good, bad] = [await putBytes(store, "good bytes"), await putBytes(store, "other bytes")];
  writeFileSync(join(store.dir, "blobs", "sha256", "stray"), "no blob");
  flipByte(blobPath(store, bad.digest), true);
  await checkBlob(store, bad.digest); // cannot see it
  for (const repair of [false, true]) {
    const problems = await verifyStore(store, { repair });
    assert.deepEqual(
      problems.map((p) => p.digest),
      [bad.digest],
    );
  }
  assert.deepEqual(await listBlobs(store), [good.digest]);
  assert.deepEqual(await verifyStore(store, { repair: false }), []);
});

test("refs are replaced whole, and a ref that is no digest counts as none", async () => {
  const store = await temporaryStore();
  const { digest } = await putBytes(store, "x");
  assert.equal(await readRef(store, "current"), undefined);
  await writeRef(store, "current", digest);
  assert.equal(await readRef(store, "current"), digest);
  writeFileSync(join(store.dir, "refs", "current"), digest.slice(0, 20));
  assert.equal(await readRef(store, "current"), undefined);
});

test("openStore names a directory that it cannot make", async () => {
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "");
  await assert.rejects(openStore(join(file, "store")), { code: "OUTPUT_UNWRITABLE" });
});

const everythingOld = (): number => Date.now() + 2 * HOUR_MS;

async function garbage(store: Store, keep: readonly Sha256[], nowMs: number): ReturnType<typeof findGarbage> {
  return findGarbage(store, { blobs: new Set(keep), boxes: new Set(["kept"]), stale: [] }, nowMs);
}

test("garbage is what nothing keeps and is older than an hour", async () => {
  const store = await temporaryStore();
  const [kept, lost] = [await putBytes(store, "kept"), await putBytes(store, "lost")];
  assert.deepEqual((await garbage(store, [kept.digest], Date.now())).blobs, []);
  const found = await garbage(store, [kept.digest], everythingOld());
  assert.deepEqual(found, { blobs: [lost.digest], paths: [], bytes: 4 });
  await collectGarbage(store, found);
  assert.deepEqual(await listBlobs(store), [kept.digest]);
});

test("garbage has old toolboxes, temporary files of dead processes, and none of living ones", async () => {
  const store = await temporaryStore();
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const names = [`${child.pid}-dead`, `${process.pid}-alive`, "no-number"];
  for (const name of names) writeFileSync(join(store.dir, "tmp", name), "");
  for (const name of ["kept", "old"]) writeFileSync(join(store.dir, "boxes", name), "");
  const { paths } = await garbage(store, [], everythingOld());
  const wanted = [`tmp/${names[0]}`, "tmp/no-number", "boxes/old"].map((path) => join(store.dir, path));
  assert.deepEqual([...paths].sort(), wanted.sort());
});

test("actionResults parts what was used of late, with its blobs, from what was not", async () => {
  const store = await temporaryStore();
  const [a, b] = [sha256("a"), sha256("b")];
  for (const [name, digest] of [
    ["new", a],
    ["old", b],
  ] as const)
    writeFileSync(join(store.dir, "actions", `${name}.json`), JSON.stringify({ outputs: { f: { blob: { digest } } } }));
  utimesSync(join(store.dir, "actions", "old.json"), 1000, 1000);
  const { blobs, stale } = await actionResults(store, 2_000_000);
  assert.deepEqual([[...blobs], stale], [[a], [join(store.dir, "actions", "old.json")]]);
});

async function runWriter(store: Store, seed: string, count: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [WRITER, store.dir, seed, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks = await Array.fromAsync(child.stdout as AsyncIterable<Buffer>);
  return Buffer.concat(chunks).toString().trim().split("\n");
}

test("processes that put equal and different blobs at once all succeed and leave whole blobs", async () => {
  const store = await temporaryStore();
  const printed = await Promise.all(["same", "same", "same", "other"].map((seed) => runWriter(store, seed, 10)));
  const want = [...new Set(printed.flat())].sort();
  assert.equal(want.length, 20);
  assert.deepEqual(await listBlobs(store), want);
  assert.deepEqual(await verifyStore(store, { repair: false }), []);
  assert.deepEqual(readdirSync(join(store.dir, "tmp")), []);
});

test("a writer killed at any moment leaves no damaged blob, no broken ref, and only collectable left-overs", async () => {
  const store = await temporaryStore();
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [WRITER, store.dir, `round ${round}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await sleep(round * 5);
    child.kill("SIGKILL");
    await once(child, "exit");
    const ref = await readRef(store, "latest");
    assert.ok(ref !== undefined && (await hasBlob(store, ref)));
  }
  assert.deepEqual(await verifyStore(store, { repair: false }), []);
  appendFileSync(join(store.dir, "tmp", "999999999-left-over"), "so that there is at least one");
  const blobs = await listBlobs(store);
  await collectGarbage(store, await garbage(store, blobs, Date.now()));
  assert.deepEqual([readdirSync(join(store.dir, "tmp")), await listBlobs(store)], [[], blobs]);
});
