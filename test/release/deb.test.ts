// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { xz } from "@napi-rs/lzma";
import fc from "fast-check";
import { debEntries } from "../../builder/release/deb.ts";
import { FactoryError } from "../../builder/errors.ts";
import { temporaryDirectory } from "../host/temp-store.ts";
import type { SampleEntry } from "./deb-samples.ts";
import { arMember, arOf, debOf, sampleDeb, tarOf } from "./deb-samples.ts";

const dir = temporaryDirectory();
const ENTRIES: readonly SampleEntry[] = [
  { name: "./", type: "directory" },
  { name: "./usr/", type: "directory", mode: 0o755 },
  { name: "./usr/tool", mode: 0o4755, content: "a program" },
  { name: "./usr/link", type: "symlink", linkname: "tool" },
  { name: "./usr/same", type: "link", linkname: "./usr/tool" },
  { name: "./usr/empty", mode: 0o600 },
];

interface Listed {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly target: string;
  readonly text: string;
}

async function list(file: string): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  for await (const { path, type, mode, target, content } of debEntries(file)) {
    const text = type === "file" ? Buffer.concat(await Array.fromAsync(content)).toString() : "";
    listed.push({ path, type, mode, target, text });
  }
  return listed;
}

const WANT: readonly Listed[] = [
  { path: "usr", type: "directory", mode: 0o755, target: "", text: "" },
  { path: "usr/tool", type: "file", mode: 0o4755, target: "", text: "a program" },
  { path: "usr/link", type: "symlink", mode: 0o644, target: "tool", text: "" },
  { path: "usr/same", type: "link", mode: 0o644, target: "usr/tool", text: "" },
  { path: "usr/empty", type: "file", mode: 0o600, target: "", text: "" },
];

const COMPRESSIONS: Readonly<Record<string, (tar: Buffer) => Promise<Uint8Array> | Uint8Array>> = {
  "data.tar": (tar) => tar,
  "data.tar.gz": (tar) => gzipSync(tar),
  "data.tar.xz": (tar) => xz.compress(tar),
  "data.tar.zst": (tar) => zstdCompressSync(tar),
};

for (const [member, compress] of Object.entries(COMPRESSIONS)) {
  test(`debEntries lists a package whose files are in ${member}`, async () => {
    const file = join(dir, `${member}.deb`);
    const version = arMember("debian-binary", Buffer.from("2.0\n"));
    writeFileSync(file, arOf([version, arMember(`${member}/`, await compress(await tarOf(ENTRIES)))]));
    assert.deepEqual(await list(file), WANT);
  });
}

test("debEntries goes on when nobody reads the files, and may be left early", async () => {
  const file = await sampleDeb(dir, ENTRIES);
  const paths: string[] = [];
  for await (const { path } of debEntries(file)) paths.push(path);
  assert.equal(paths.length, 5);
  for await (const { path } of debEntries(file)) {
    assert.equal(path, "usr");
    break;
  }
});

const HOSTILE: Readonly<Record<string, SampleEntry>> = {
  "an absolute path": { name: "/etc/passwd", content: "x" },
  "a path that climbs": { name: "./a/../../etc/passwd", content: "x" },
  "a path that is only dots": { name: "..", type: "directory" },
  "a path with an empty component": { name: "a//b", content: "x" },
  "a hard link that climbs": { name: "a", type: "link", linkname: "../../etc/shadow" },
  "a hard link to an absolute path": { name: "a", type: "link", linkname: "/etc/shadow" },
  "a symlink to nothing": { name: "a", type: "symlink", linkname: "" },
  "a character device": { name: "dev/mem", type: "character-device", devmajor: 1, devminor: 1 },
  "a block device": { name: "dev/sda", type: "block-device", devmajor: 8, devminor: 0 },
  "a named pipe": { name: "pipe", type: "fifo" },
};

for (const [what, entry] of Object.entries(HOSTILE)) {
  test(`debEntries refuses ${what}`, async () => {
    const file = await sampleDeb(dir, [{ name: "fine", content: "x" }, entry]);
    await assert.rejects(list(file), { name: "FactoryError", code: "ARCHIVE_HOSTILE" });
  });
}

/** The 512 bytes of a ustar header for a file of `size` bytes that are not there. */
async function hugeHeader(size: string): Promise<Buffer> {
  const header = Buffer.from((await tarOf([{ name: "huge", content: "x" }])).subarray(0, 512));
  header.write(size.padStart(11, "0"), 124, "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

test("debEntries refuses more content than its bound before it reads any of it", async () => {
  const file = join(dir, "huge.deb");
  writeFileSync(file, await debOf(await hugeHeader("77777777777"))); // 8 GiB - 1
  await assert.rejects(list(file), { code: "ARCHIVE_HOSTILE", message: /content: found 8589934591/ });
});

async function goodDeb(): Promise<Buffer> {
  return debOf(await tarOf(ENTRIES));
}

const data = await goodDeb();
const BROKEN: Readonly<Record<string, Buffer>> = {
  "an empty file": Buffer.alloc(0),
  "something that is no ar archive": Buffer.from(
    "PK\u0003\u0004 and more than sixty bytes of anything else at all, so there",
  ),
  "an ar archive without members": arOf([]),
  "a header that is cut": data.subarray(0, 40),
  "a header without its magic": Buffer.concat([data.subarray(0, 66), Buffer.from("xx"), data.subarray(68)]),
  "a member longer than the file": arOf([arMember("data.tar.xz", Buffer.from("abc"), "5000")]),
  "a size that is no number": arOf([arMember("data.tar.xz", Buffer.from("abc"), "0x3")]),
  "a negative size": arOf([arMember("data.tar.xz", Buffer.from("abc"), "-3")]),
  "a package without data": arOf([arMember("debian-binary", Buffer.from("2.0\n"))]),
  "empty data": arOf([arMember("data.tar.xz", Buffer.alloc(0))]),
  "too many members": arOf(Array.from({ length: 50 }, () => arMember("_x", Buffer.from("y")))),
  "a compression that nobody uses": arOf([arMember("data.tar.lzma", Buffer.from("abc"))]),
  "data that is not compressed": arOf([arMember("data.tar.xz", await tarOf(ENTRIES))]),
  "xz data that is cut": arOf([arMember("data.tar.xz", (await xz.compress(await tarOf(ENTRIES))).subarray(0, 60))]),
  "a tar archive that is cut": arOf([arMember("data.tar", (await tarOf(ENTRIES)).subarray(0, 1800))]),
  "a tar header with a wrong checksum": arOf([arMember("data.tar", Buffer.alloc(1024, "a"))]),
};

for (const [what, bytes] of Object.entries(BROKEN)) {
  test(`debEntries refuses ${what}`, async () => {
    const file = join(dir, "broken.deb");
    writeFileSync(file, bytes);
    await assert.rejects(list(file), { name: "FactoryError", code: "FORMAT_INVALID" });
  });
}

test("debEntries answers a package with damaged bytes by an entry or a FactoryError, whatever they are", async () => {
  const file = join(dir, "fuzz.deb");
  const plain = arOf([arMember("data.tar", await tarOf(ENTRIES))]);
  const damage = fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const bytes = Buffer.from(plain);
      for (const [at, value] of changes) bytes[at] = value;
      writeFileSync(file, bytes);
      const error = await list(file).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error === undefined || error instanceof FactoryError, String(error));
    }),
    { numRuns: 150 },
  );
});
