// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { joinCpioArchives, layoutCpio } from "../../builder/layout/cpio.ts";
import type { CpioEntry } from "../../builder/layout/cpio.ts";
import { bytesLayout, zerosLayout } from "../../builder/layout/extent.ts";
import { CPIO_SAMPLE, cpioDirectory, cpioFile } from "./cpio-samples.ts";
import { layoutBytes } from "./layout-image.ts";

interface Record {
  readonly fields: readonly number[];
  readonly path: string;
  readonly data: string;
}

/** Reads an archive as the kernel does: header, name, padding, data, padding. */
function readArchive(bytes: Uint8Array): readonly Record[] {
  const text = Buffer.from(bytes).toString("latin1");
  const records: Record[] = [];
  for (let at = 0; ;) {
    assert.equal(text.slice(at, at + 6), "070701");
    const fields = Array.from({ length: 13 }, (_, i) =>
      Number.parseInt(text.slice(at + 6 + i * 8, at + 14 + i * 8), 16),
    );
    const [size = 0, nameSize = 0] = [fields[6], fields[11]];
    const path = Buffer.from(text.slice(at + 110, at + 110 + nameSize - 1), "latin1").toString("utf8");
    const data = Math.ceil((at + 110 + nameSize) / 4) * 4;
    records.push({ fields, path, data: text.slice(data, data + size) });
    at = Math.ceil((data + size) / 4) * 4;
    if (path === "TRAILER!!!") {
      assert.equal(at, bytes.length);
      return records;
    }
  }
}

test("layoutCpio writes every field of a header in its place", () => {
  const entry: CpioEntry = {
    kind: "device",
    device: "block",
    path: "sda1",
    mode: 0o640,
    uid: 1,
    gid: 6,
    mtimeSeconds: 1_700_000_000,
    major: 8,
    minor: 1,
  };
  const fields = {
    magic: "070701",
    ino: "00000001",
    mode: "000061A0",
    uid: "00000001",
    gid: "00000006",
    nlink: "00000001",
    mtime: "6553F100",
    filesize: "00000000",
    devmajor: "00000000",
    devminor: "00000000",
    rdevmajor: "00000008",
    rdevminor: "00000001",
    namesize: "00000005",
    check: "00000000",
  };
  const bytes = Buffer.from(layoutBytes(layoutCpio([entry]), 0, 116));
  assert.equal(bytes.toString("latin1"), `${Object.values(fields).join("")}sda1\0\0`);
});

test("layoutCpio sorts by path bytes, parents first, and counts inodes from 1", () => {
  const records = readArchive(layoutBytes(layoutCpio(CPIO_SAMPLE)));
  const sorted = CPIO_SAMPLE.map((e) => e.path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(
    records.map((r) => r.path),
    [...sorted, "TRAILER!!!"],
  );
  assert.deepEqual(
    records.map((r) => r.fields[0]),
    [...sorted.map((_, i) => i + 1), 0],
  );
  assert.ok(sorted.indexOf("etc-old") < sorted.indexOf("etc/hosts")); // "-" sorts before "/"
});

test("layoutCpio gives the same bytes for any order of entries", () => {
  const want = layoutBytes(layoutCpio(CPIO_SAMPLE));
  const shuffled = fc.shuffledSubarray([...CPIO_SAMPLE], { minLength: CPIO_SAMPLE.length });
  fc.assert(
    fc.property(shuffled, (entries) => Buffer.compare(layoutBytes(layoutCpio(entries)), want) === 0),
    { numRuns: 20 },
  );
});

test("layoutCpio keeps contents of every length mod 4 aligned", () => {
  const entries = [1, 2, 3, 4, 5].map((n) => cpioFile(`f${"x".repeat(n)}`, "d".repeat(n)));
  const records = readArchive(layoutBytes(layoutCpio(entries)));
  assert.deepEqual(
    records.slice(0, 5).map((r) => r.data),
    entries.map((_, i) => "d".repeat(i + 1)),
  );
});

test("layoutCpio says where the content of each file lies", () => {
  const archive = layoutCpio(CPIO_SAMPLE);
  const bytes = Buffer.from(layoutBytes(archive));
  const found = [...archive.files].map(([path, { offset, length }]) => [
    path,
    bytes.toString("utf8", offset, offset + length),
  ]);
  assert.deepEqual(Object.fromEntries(found), {
    "etc-old": "",
    "etc/hosts": "127.0.0.1 localhost\n",
    init: "#!\n",
    "usr/bin/größe 😀": "x",
    "usr/bin/\ufb33": "y",
  });
});

test("layoutCpio keeps a content of zeros as zeros", () => {
  const layout = layoutCpio([{ ...cpioFile("big", ""), kind: "file", content: zerosLayout(1 << 30) }]);
  assert.ok(layout.extents.some((e) => e.source.kind === "zeros" && e.length >= 1 << 30));
});

const REFUSED: readonly (readonly [name: string, code: string, entries: readonly CpioEntry[]])[] = [
  ["an absolute path", "LAYOUT_INVALID", [cpioFile("/etc", "")]],
  ["an empty path", "LAYOUT_INVALID", [cpioFile("", "")]],
  ["a path that climbs", "LAYOUT_INVALID", [cpioDirectory("a"), cpioFile("a/../../b", "")]],
  ["a dot component", "LAYOUT_INVALID", [cpioFile("./a", "")]],
  ["a trailing slash", "LAYOUT_INVALID", [cpioDirectory("a/")]],
  ["a NUL in the path", "LAYOUT_INVALID", [cpioFile("a\0b", "")]],
  ["half a surrogate pair", "LAYOUT_INVALID", [cpioFile("a\ud800", "")]],
  ["the trailer's name", "LAYOUT_INVALID", [cpioFile("TRAILER!!!", "")]],
  ["a duplicate", "LAYOUT_INVALID", [cpioFile("a", "1"), cpioFile("a", "1")]],
  ["a missing parent", "LAYOUT_INVALID", [cpioFile("a/b", "")]],
  ["a parent that is a file", "LAYOUT_INVALID", [cpioFile("a", ""), cpioFile("a/b", "")]],
  ["a path over 4095 bytes", "LAYOUT_OVERFLOW", [cpioFile("é".repeat(2048), "")]],
  ["an empty symlink target", "LAYOUT_INVALID", [{ ...cpioDirectory("l"), kind: "symlink", target: "" }]],
  [
    "a symlink target over 4095 bytes",
    "LAYOUT_OVERFLOW",
    [{ ...cpioDirectory("l"), kind: "symlink", target: "t".repeat(4096) }],
  ],
  ["type bits in the mode", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), mode: 0o100644 }]],
  ["a negative mode", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), mode: -1 }]],
  ["a time before 1970", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), mtimeSeconds: -1 }]],
  ["a time after 2106", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), mtimeSeconds: 2 ** 32 }]],
  ["a fraction of a second", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), mtimeSeconds: 0.5 }]],
  ["a file of 4 GiB", "LAYOUT_OVERFLOW", [{ ...cpioFile("a", ""), kind: "file", content: zerosLayout(2 ** 32) }]],
];

for (const [name, code, entries] of REFUSED) {
  test(`layoutCpio refuses ${name}`, () => {
    assert.throws(() => layoutCpio(entries), { name: "FactoryError", code });
  });
}

test("joinCpioArchives starts each archive at a multiple of 4 and ends at one", () => {
  const joined = joinCpioArchives([bytesLayout(new Uint8Array(5).fill(1)), bytesLayout(new Uint8Array(3).fill(2))]);
  assert.deepEqual([...layoutBytes(joined)], [1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 2, 0]);
});
