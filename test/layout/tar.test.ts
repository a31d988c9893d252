// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { extract } from "tar-stream";
import { bytesLayout, zerosLayout } from "../../builder/layout/extent.ts";
import type { TarEntry } from "../../builder/layout/tar.ts";
import { layoutTar } from "../../builder/layout/tar.ts";
import { layoutBytes } from "./layout-image.ts";

const EPOCH = 1_795_163_400;
const text = (path: string, content: string): TarEntry => ({ path, content: bytesLayout(Buffer.from(content)) });
const SAMPLE = [{ path: "blobs" }, text("blobs/a", "abc"), text("blobs/empty", ""), text("x".repeat(100), "y")];

test("a reader that we did not write finds names, kinds, times and contents", async () => {
  const archive = layoutTar(SAMPLE, EPOCH);
  const bytes = Buffer.from(layoutBytes(archive));
  assert.equal(bytes.length % 10_240, 0);
  const found = [];
  for await (const entry of Readable.from([bytes]).pipe(extract())) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    const { name, type, mode, uid, mtime } = entry.header;
    found.push([name, type, mode, uid, mtime?.getTime(), Buffer.concat(chunks).toString()]);
  }
  const row = (name: string, content: string): unknown[] => [name, "file", 0o644, 0, EPOCH * 1000, content];
  assert.deepEqual(found, [
    ["blobs/", "directory", 0o755, 0, EPOCH * 1000, ""],
    row("blobs/a", "abc"),
    row("blobs/empty", ""),
    row("x".repeat(100), "y"),
  ]);
  const { offset, length } = archive.files.get("blobs/a") ?? assert.fail();
  assert.equal(bytes.subarray(offset, offset + length).toString(), "abc");
});

for (const [what, entry, pattern] of [
  ["a path that leaves the archive", text("../a", ""), /plain components/],
  ["a long name", text("x".repeat(101), ""), /at most 100 characters/],
  ["a name that is not ASCII", text("größe", ""), /printable ASCII/],
  ["a name that comes twice", text("blobs/a", ""), /each path once/],
  ["a content of 8 GiB", { path: "large", content: zerosLayout(8 ** 11) }, /tar size of large/],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => layoutTar([...SAMPLE, entry], EPOCH), pattern);
  });
}
