// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { after, afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { BlobSource } from "../../builder/encode/read-layout.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import { writeImageFile } from "../../builder/host/image-file.ts";
import type { Sha256 } from "../../builder/layout/digest.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { EMPTY, blobLayout, bytesLayout, placeLayouts, sliceLayout, zerosLayout } from "../../builder/layout/extent.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { collect, mapSource } from "../encode/blob-samples.ts";
import { patternBytes } from "../layout/layout-image.ts";

const root = mkdtempSync(join(tmpdir(), "image-file-"));
after(() => rmSync(root, { recursive: true }));
const dir = join(root, "out");
mkdirSync(dir);
const target = join(dir, "image.raw");
afterEach(() => {
  rmSync(dir, { recursive: true });
  mkdirSync(dir);
});

const BLOB = patternBytes(3_000_001, 1);
const memory = mapSource(BLOB, patternBytes(10, 2));
const [blob] = memory.layouts;
const blobFile = join(root, "blob");
writeFileSync(blobFile, BLOB, { mode: 0o444 });
const inFile: BlobSource = { ...memory, path: () => Promise.resolve(blobFile) };

/** 64 MiB with data at both ends, a slice of a blob, and zeros too few for a hole. */
const IMAGE = placeLayouts(64 << 20, [
  { what: "head", offset: 0, layout: bytesLayout(patternBytes(512, 3)) },
  { what: "table", offset: 5000, layout: bytesLayout(patternBytes(70_001, 4)) },
  { what: "blob", offset: (1 << 20) + 7, layout: sliceLayout(blob, 100, BLOB.length - 1) },
  { what: "tail", offset: (64 << 20) - 512, layout: bytesLayout(patternBytes(512, 5)) },
]);
const SHORT = placeLayouts(100_000, [{ what: "a", offset: 50_000, layout: bytesLayout(patternBytes(10, 6)) }]);
const CASES: readonly (readonly [name: string, layout: Layout])[] = [
  ["an image", IMAGE],
  ["a short file", SHORT],
  ["an empty file", EMPTY],
  ["a whole blob", blob],
  ["nothing but a hole", zerosLayout(20 << 20)],
];

for (const [name, layout] of CASES) {
  for (const [how, blobs] of [
    ["a stream", memory],
    ["a file", inFile],
  ] as const) {
    test(`writeImageFile writes ${name}, blobs from ${how}`, async () => {
      const { path, bytes, digest } = await writeImageFile({ layout, blobs, path: target });
      const want = await collect(readLayout(layout, memory));
      assert.deepEqual([path, bytes, readdirSync(dir)], [target, layout.length, ["image.raw"]]);
      assert.equal(Buffer.compare(readFileSync(target), want), 0);
      assert.equal(await digest, sha256(want));
    });
  }
}

test("writeImageFile leaves holes", async () => {
  const { digest } = await writeImageFile({ layout: IMAGE, blobs: memory, path: target });
  await digest;
  assert.ok(statSync(target).blocks * 512 < 4 << 20, `${statSync(target).blocks} blocks`);
});

test("writeImageFile gives mode 0644 whatever the umask and the blob's mode", async () => {
  const umask = process.umask(0o077);
  try {
    for (const layout of [IMAGE, blob]) {
      await writeImageFile({ layout, blobs: inFile, path: target, durable: true });
      assert.equal(statSync(target).mode & 0o7777, 0o644);
    }
  } finally {
    process.umask(umask);
  }
});

test("writeImageFile reports progress up to all data bytes, holes not counted", async () => {
  const reports: number[][] = [];
  await writeImageFile({ layout: IMAGE, blobs: memory, path: target, onProgress: (...report) => reports.push(report) });
  const total = reports.at(-1)?.[1] ?? 0;
  assert.deepEqual(reports.at(-1), [total, total]);
  assert.ok(total > 3_000_000 && total < 3_200_000, String(total));
  assert.deepEqual(
    reports.map(([done]) => done),
    reports.map(([done]) => done ?? 0).sort((a, b) => a - b),
  );
});

test("writeImageFile replaces a file only when the new one is complete", async () => {
  writeFileSync(target, "old");
  const failing: BlobSource = {
    async *read(digest, offset, length) {
      yield* memory.read(digest, offset, length - 1);
    },
  };
  await assert.rejects(writeImageFile({ layout: IMAGE, blobs: failing, path: target }), { code: "STORE_CORRUPT" });
  assert.deepEqual([readdirSync(dir), readFileSync(target, "utf8")], [["image.raw"], "old"]);
  await writeImageFile({ layout: SHORT, blobs: memory, path: target });
  assert.equal(statSync(target).size, 100_000);
});

const systemError = (code: string): BlobSource => ({
  // eslint-disable-next-line require-yield
  async *read() {
    throw Object.assign(new Error(code), { code });
  },
});
const missing: BlobSource = { ...memory, path: () => Promise.resolve(join(root, "none")) };
const truncated: BlobSource = { ...memory, path: () => Promise.resolve(fileURLToPath(import.meta.url)) };
const huge = blobLayout({ digest: sha256("huge"), size: 2 ** 52 });
const FAILURES: readonly (readonly [
  name: string,
  code: string,
  over: Partial<Parameters<typeof writeImageFile>[0]>,
])[] = [
  ["a directory that is not there", "OUTPUT_UNWRITABLE", { path: join(dir, "none", "x.raw") }],
  ["a parent that is a file", "OUTPUT_UNWRITABLE", { path: join(blobFile, "x.raw") }],
  ["a directory of the target's name", "OUTPUT_UNWRITABLE", { path: dir }],
  ["a device", "OUTPUT_UNWRITABLE", { path: "/dev/null" }],
  ["a name over 255 bytes", "OUTPUT_UNWRITABLE", { path: join(dir, "n".repeat(256)) }],
  ["more data than the disk has room for", "DISK_FULL", { layout: huge }],
  ["a disk that fills up on the way", "DISK_FULL", { blobs: systemError("ENOSPC") }],
  ["a blob that is not in the store", "STORE_MISSING", { blobs: missing }],
  ["a blob file that is too short", "STORE_CORRUPT", { blobs: truncated }],
  ["an abort before the start", "CANCELLED", { signal: AbortSignal.abort() }],
];

for (const [name, code, over] of FAILURES) {
  test(`writeImageFile answers ${name} with ${code} and leaves nothing behind`, async () => {
    await assert.rejects(writeImageFile({ layout: IMAGE, blobs: memory, path: target, ...over }), {
      name: "FactoryError",
      code,
    });
    assert.deepEqual(readdirSync(dir), []);
  });
}

test("writeImageFile stops at an abort and removes the partial file", async () => {
  const controller = new AbortController();
  const big = blobLayout({ digest: sha256("big"), size: 400 << 20 });
  const seen: string[][] = [];
  const endless: BlobSource = {
    async *read(_digest: Sha256, _offset, length) {
      for (let sent = 0; sent < length; sent += 1 << 20) {
        if (sent === 40 << 20) {
          seen.push(readdirSync(dir));
          controller.abort();
        }
        yield new Uint8Array(1 << 20);
      }
    },
  };
  await assert.rejects(writeImageFile({ layout: big, blobs: endless, path: target, signal: controller.signal }), {
    code: "CANCELLED",
  });
  assert.match(String(seen[0]), /^image\.raw\.[0-9a-f]{12}\.partial$/);
  assert.deepEqual(readdirSync(dir), []);
});

test("writeImageFile does not follow a link that waits under the final name", async () => {
  const victim = join(root, "victim");
  writeFileSync(victim, "untouched");
  symlinkSync(victim, target);
  await writeImageFile({ layout: SHORT, blobs: memory, path: target });
  assert.equal(readFileSync(victim, "utf8"), "untouched");
  assert.ok(statSync(target).isFile());
});

for (const [how, want] of [
  ["SIGINT", 130],
  ["exit", 3],
] as const) {
  test(`writeImageFile leaves nothing behind when its process ends by ${how}`, { timeout: 30_000 }, async () => {
    const script = fileURLToPath(new URL("interrupted-writer.ts", import.meta.url));
    const child = spawn(process.execPath, [script, target, how], { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    assert.equal(readdirSync(dir).length, 1);
    child.kill("SIGINT");
    const [status] = (await once(child, "exit")) as [number];
    assert.deepEqual([status, readdirSync(dir)], [want, []]);
  });
}

test("writeImageFile's digest rejects when a cloned blob is not what its name says", async () => {
  const other = blobLayout({ digest: sha256("other"), size: BLOB.length });
  const { digest } = await writeImageFile({ layout: other, blobs: inFile, path: target });
  // Only a filesystem that can clone takes that path; elsewhere the digest is of the bytes, and differs from the name.
  const found = await digest.catch((error: unknown) => error);
  assert.ok(found === sha256(BLOB) || (found as { code?: string }).code === "STORE_CORRUPT");
});
