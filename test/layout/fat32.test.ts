// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import type { Fat32Options } from "../../builder/layout/fat32.ts";
import { layoutFat32, minimumFat32Bytes } from "../../builder/layout/fat32.ts";
import { viewOf } from "../../builder/layout/bytes.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { fatFile, fatOptions } from "./fat32-samples.ts";
import { layoutBytes } from "./layout-image.ts";

const MIB = 2 ** 20;

/** A file that exists only as a length. */
function hollow(length: number): Layout {
  return { length, extents: [{ offset: 0, length, source: { kind: "zeros" } }] };
}

for (const [name, over] of [
  ["512-byte sectors", {}],
  ["4096-byte sectors", { sectorBytes: 4096, lengthBytes: 300 * MIB }],
  ["2048-byte alignment", { fileAlignment: 2048 }],
  ["alignment larger than the cluster", { fileAlignment: 65_536 }],
  ["alignment smaller than the cluster", { fileAlignment: 512, clusterBytes: 4096, lengthBytes: 300 * MIB }],
] satisfies [string, Partial<Fat32Options>][]) {
  test(`layoutFat32 places every file whole and aligned with ${name}`, () => {
    const options = fatOptions(over);
    const volume = layoutFat32(options);
    const alignment = options.fileAlignment ?? Math.max(4096, volume.clusterBytes);
    assert.equal(volume.layout.length, options.lengthBytes);
    assert.deepEqual(
      [...volume.files.keys()],
      options.files.map((f) => f.path),
    );
    for (const { path, content } of options.files) {
      const range = volume.files.get(path);
      assert.equal(range?.length, content.length, path);
      assert.equal(range.offset % alignment, 0, path);
      assert.deepEqual(layoutBytes(volume.layout, range.offset, range.length), layoutBytes(content), path);
    }
  });
}

test("layoutFat32 gives equal bytes for equal options and keeps zeros as extents", () => {
  const [a, b] = [layoutFat32(fatOptions()), layoutFat32(fatOptions())];
  assert.equal(sha256(layoutBytes(a.layout)), sha256(layoutBytes(b.layout)));
  const literal = a.layout.extents.reduce((sum, e) => sum + (e.source.kind === "bytes" ? e.length : 0), 0);
  const content = fatOptions().files.reduce((sum, f) => sum + f.content.length, 0);
  assert.ok(literal - content < 100_000, `${literal - content} literal bytes besides the content`);
});

test("layoutFat32 keeps the first bytes frozen", () => {
  const { layout } = layoutFat32(fatOptions({ files: [fatFile("EFI/BOOT/BOOTX64.EFI", 1000)] }));
  const digests = {
    volume: sha256(layoutBytes(layout)),
    boot: Buffer.from(layoutBytes(layout, 0, 90)).toString("hex"),
  };
  assert.deepEqual(digests, {
    volume: "29419b9f38cf8cb7d166c39695b36405dcb4d93b94702daaf9a87b17b012cf93",
    boot: "eb58904d5357494e342e3100020126000200000000f800003f00ff000008000000000200f1030000000000000200000001000600000000000000000000000000800029cdab3412444f44454b4120455350204641543332202020",
  });
});

test("layoutFat32 counts free clusters in FSInfo, and backs both sectors up", () => {
  const { layout } = layoutFat32(fatOptions({ files: [fatFile("A", 513), fatFile("B", 512)], fileAlignment: 512 }));
  const sectors = layoutBytes(layout, 0, 8 * 512);
  assert.deepEqual(sectors.subarray(0, 1024), sectors.subarray(6 * 512, 8 * 512));
  const info = viewOf(sectors.subarray(512, 1024));
  assert.equal(info.getUint32(488, true), 129_016 - 1 - 2 - 1); // root, A, B
  assert.equal(info.getUint32(492, true), 5);
});

test("layoutFat32 starts data at a multiple of 4096 bytes for every cluster size", () => {
  for (const clusterBytes of [512, 1024, 4096, 32_768]) {
    const volume = layoutFat32(
      fatOptions({ clusterBytes, lengthBytes: clusterBytes * 70_000, files: [fatFile("A", 1)] }),
    );
    assert.equal((volume.files.get("A")?.offset ?? 1) % Math.max(4096, clusterBytes), 0);
  }
});

for (const { lengthBytes, want } of [
  { lengthBytes: 260 * MIB, want: 512 },
  { lengthBytes: 260 * MIB + 512, want: 4096 },
  { lengthBytes: 8192 * MIB, want: 4096 },
  { lengthBytes: 8192 * MIB + 512, want: 8192 },
  { lengthBytes: 40_000 * MIB, want: 32_768 },
]) {
  test(`layoutFat32 takes clusters of ${want} bytes for ${lengthBytes} bytes`, () => {
    assert.equal(layoutFat32(fatOptions({ lengthBytes, files: [] })).clusterBytes, want);
  });
}

for (const [name, over, want] of [
  ["a small volume", {}, 34_101_760],
  ["a volume that grows past 512-byte clusters", { files: [{ path: "big", content: hollow(262 * MIB) }] }, undefined],
  ["4096-byte sectors", { sectorBytes: 4096 }, undefined],
  ["a fixed cluster", { clusterBytes: 2048 }, undefined],
  [
    "a content near the 8 GiB step",
    { files: [0, 1, 2].map((i) => ({ path: `${i}`, content: hollow(2728 * MIB) })) },
    undefined,
  ],
] satisfies [string, Partial<Fat32Options>, number | undefined][]) {
  test(`minimumFat32Bytes is the least that layoutFat32 accepts for ${name}`, () => {
    const options = fatOptions({ fileAlignment: 2048, ...over });
    const lengthBytes = minimumFat32Bytes(options);
    if (want !== undefined) assert.equal(lengthBytes, want);
    assert.equal(layoutFat32({ ...options, lengthBytes }).layout.length, lengthBytes);
    assert.throws(() => layoutFat32({ ...options, lengthBytes: lengthBytes - options.sectorBytes }), {
      code: "PLAN_IMPOSSIBLE",
    });
  });
}

test("minimumFat32Bytes looks at nothing but the content", () => {
  const { files } = fatOptions();
  const content = { files, sectorBytes: 512 } as const;
  assert.equal(minimumFat32Bytes(fatOptions({ lengthBytes: 0, label: "" })), minimumFat32Bytes(content));
});

test("layoutFat32 says how many bytes are needed when the volume is too small to be FAT32", () => {
  const options = fatOptions({ lengthBytes: 32 * MIB, files: [] });
  const needed = minimumFat32Bytes(options);
  assert.throws(
    () => layoutFat32(options),
    (error: unknown) => {
      assert.ok(error instanceof FactoryError);
      assert.equal(error.code, "PLAN_IMPOSSIBLE");
      assert.equal(error.details.found, 32 * MIB);
      assert.ok(
        error.details.expected.includes(`at least ${needed} bytes (for 65541 clusters`),
        error.details.expected,
      );
      assert.ok(error.details.fix.includes(String(needed)), error.details.fix);
      return true;
    },
  );
});

for (const [name, over, code] of [
  ["content that does not fit", { files: [{ path: "big", content: hollow(64 * MIB) }] }, "PLAN_IMPOSSIBLE"],
  ["more clusters than FAT32 counts", { lengthBytes: 2 ** 40, clusterBytes: 512, files: [] }, "PLAN_IMPOSSIBLE"],
  ["more sectors than 32 bits count", { lengthBytes: 2 ** 41, files: [] }, "PLAN_IMPOSSIBLE"],
  ["a file of 4 GiB", { files: [{ path: "big", content: hollow(2 ** 32) }] }, "LAYOUT_OVERFLOW"],
  ["an epoch before 1980", { epochSeconds: 315_532_799 }, "LAYOUT_OVERFLOW"],
  ["an epoch after 2107", { epochSeconds: 4_354_819_200 }, "LAYOUT_OVERFLOW"],
  ["a volume id of 33 bits", { volumeId: 2 ** 32 }, "LAYOUT_OVERFLOW"],
  ["negative hidden sectors", { hiddenSectors: -1 }, "LAYOUT_OVERFLOW"],
  ["a lower-case label", { label: "dodeka" }, "LAYOUT_INVALID"],
  ["a long label", { label: "DODEKA-DISK1" }, "LAYOUT_INVALID"],
  ["no label", { label: "" }, "LAYOUT_INVALID"],
  ["the label that means none", { label: "NO NAME" }, "LAYOUT_INVALID"],
  ["half a sector", { lengthBytes: 64 * MIB + 256 }, "LAYOUT_INVALID"],
  ["a cluster below the sector", { sectorBytes: 4096, clusterBytes: 512 }, "LAYOUT_INVALID"],
  ["a cluster that is no power of two", { clusterBytes: 1536 }, "LAYOUT_INVALID"],
  ["an alignment that is no power of two", { fileAlignment: 3000 }, "LAYOUT_INVALID"],
] satisfies [string, Partial<Fat32Options>, string][]) {
  test(`layoutFat32 refuses ${name}`, () => {
    assert.throws(() => layoutFat32(fatOptions(over)), { code });
  });
}

test("layoutFat32 accepts a file of 4 GiB less one byte and the first and last seconds of FAT", () => {
  const files = [{ path: "big", content: hollow(2 ** 32 - 1) }];
  for (const epochSeconds of [315_532_800, 4_354_819_199]) {
    const volume = layoutFat32(fatOptions({ files, epochSeconds, lengthBytes: 5 * 2 ** 30 }));
    assert.equal(volume.files.get("big")?.length, 2 ** 32 - 1);
  }
});
