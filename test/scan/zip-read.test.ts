// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";
import * as fc from "fast-check";
import { isMalformed } from "../../builder/compare/malformed.ts";
import { bytesImage } from "../../builder/compare/sub-image.ts";
import { readZip } from "../../builder/scan/zip-read.ts";

function record(signature: number, fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  const parts = [[4, signature] as const, ...fields].map(([bytes, value]) => {
    const out = Buffer.alloc(bytes);
    out.writeUIntLE(value, 0, bytes);
    return out;
  });
  return Buffer.concat(parts);
}

/** As zip(1) writes it, without times. */
function sampleZip(files: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const method = text.length > 50 ? 8 : 0;
    const data = method === 8 ? deflateRawSync(text) : Buffer.from(text);
    const common = [
      [2, 20],
      [2, 0],
      [2, method],
      [2, 0],
      [2, 0],
      [4, crc32(text)],
      [4, data.length],
    ] as const;
    const tail = [
      [4, text.length],
      [2, name.length],
      [2, 0],
    ] as const;
    const local = Buffer.concat([record(0x0403_4b50, [...common, ...tail]), Buffer.from(name), data]);
    const places = [
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, offset],
    ] as const;
    directory.push(record(0x0201_4b50, [[2, 20], ...common, ...tail, ...places]), Buffer.from(name));
    locals.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const count = Object.keys(files).length;
  const end = record(0x0605_4b50, [
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, entries.length],
    [4, offset],
    [2, 3],
  ]);
  return Buffer.concat([...locals, entries, end, Buffer.from("end")]);
}

const FILES = { "a.json": "{}", "dir/": "", "dir/b.json": "x".repeat(10_000) };
const ZIP = sampleZip(FILES);

async function readAll(bytes: Uint8Array, maxBytes = 20_000): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const file of readZip(bytesImage("zip", bytes), maxBytes)) {
    found[file.name] = Buffer.from(file.bytes).toString("latin1");
  }
  return found;
}

test("readZip reads stored and deflated files", async () => {
  assert.deepEqual(await readAll(ZIP), { "a.json": "{}", "dir/b.json": "x".repeat(10_000) });
});

test("readZip refuses files over the bound, and other archives", async () => {
  await assert.rejects(readAll(ZIP, 9_999), { code: "FORMAT_INVALID" });
  await assert.rejects(readAll(Buffer.from("no archive")), { code: "FORMAT_INVALID" });
  await assert.rejects(readAll(ZIP.subarray(0, ZIP.length - 10)), { code: "FORMAT_INVALID" });
});

test("readZip gives what was packed or refuses, whatever byte changes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(ZIP.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const damaged = Uint8Array.from(ZIP);
      damaged[at] = (damaged[at] ?? 0) ^ change;
      try {
        const contents = Object.values(await readAll(damaged));
        for (const content of contents) assert.ok(Object.values(FILES).includes(content), content.slice(0, 20));
      } catch (error) {
        assert.ok(isMalformed(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
