// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { inflateZstd, inflatedLengthOfPrefix, zstdFrameBytes } from "../../builder/compare/bounded-zstd.ts";
import { bytesImage } from "../../builder/compare/sub-image.ts";
import { patternBytes } from "../layout/layout-image.ts";

const CONTENTS: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["empty", new Uint8Array()],
  ["one byte", Uint8Array.of(7)],
  ["zeros", new Uint8Array(1_000_000)],
  ["incompressible", patternBytes(300_000, 1)],
  ["text of 256 bytes", Buffer.from("a".repeat(255) + "b")],
  ["70 000 bytes", Buffer.from("abc".repeat(23_334))],
];

for (const [name, bytes] of CONTENTS) {
  for (const checksum of [0, 1]) {
    test(`zstdFrameBytes measures a frame of ${name}, checksum ${checksum}`, async () => {
      const frame = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: checksum } });
      const file = Buffer.concat([Buffer.alloc(5), frame, Buffer.from("behind")]);
      assert.equal(await zstdFrameBytes(bytesImage("test", file), 5), frame.length);
      assert.deepEqual(Buffer.from(inflateZstd(frame, 1_000_000, "test")), Buffer.from(bytes));
    });
  }
}

test("zstdFrameBytes refuses every truncation of a frame", async () => {
  const frame = zstdCompressSync(Buffer.from("some text, some text, some more text"));
  for (let length = 0; length < frame.length; length++) {
    await assert.rejects(zstdFrameBytes(bytesImage("test", frame.subarray(0, length)), 0), { code: "FORMAT_INVALID" });
  }
});

test("inflateZstd refuses more than it was told to expect, and damage", () => {
  const bomb = zstdCompressSync(new Uint8Array(10_000_000));
  assert.throws(() => inflateZstd(bomb, 9_999_999, "test"), { code: "FORMAT_INVALID" });
  assert.throws(() => inflateZstd(bomb.subarray(0, 8), 10_000_000, "test"), { code: "FORMAT_INVALID" });
});

test("inflatedLengthOfPrefix says where a packed byte takes effect", () => {
  const bytes = patternBytes(900_000, 3);
  const frame = zstdCompressSync(bytes);
  const at = inflatedLengthOfPrefix(frame.subarray(0, 450_000), 1_000_000);
  assert.ok(at > 300_000 && at <= 450_000, String(at));
  assert.equal(inflatedLengthOfPrefix(frame.subarray(0, 3), 1_000_000), 0);
});
