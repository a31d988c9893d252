// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { viewOf } from "../../builder/layout/bytes.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { bytesLayout, concatLayouts, zerosLayout } from "../../builder/layout/extent.ts";
import type { IsoEntry, IsoOptions } from "../../builder/layout/iso9660.ts";
import { layoutIso, overlaySystemArea, overlayTrailer } from "../../builder/layout/iso9660.ts";
import { hybridOptions, isoFile, isoOptions } from "./iso9660-samples.ts";
import { layoutBytes, patternBytes } from "./layout-image.ts";

const { options: HYBRID, esp: ESP } = hybridOptions();
const VOLUME = layoutIso(HYBRID);

function contentOf(entry: IsoEntry): Uint8Array {
  if (entry.kind === "file") return layoutBytes(entry.content);
  return layoutBytes(HYBRID.appended.content, entry.offset, entry.length);
}

test("layoutIso places every entry whole and at a block", () => {
  assert.deepEqual([...VOLUME.files.keys()], ["boot/grub/eltorito.img", ...HYBRID.entries.map((e) => e.path)]);
  for (const entry of HYBRID.entries) {
    const range = VOLUME.files.get(entry.path);
    assert.ok(range !== undefined && range.offset % 2048 === 0, entry.path);
    assert.deepEqual(layoutBytes(VOLUME.layout, range.offset, range.length), contentOf(entry), entry.path);
  }
});

test("layoutIso stores bytes that both filesystems name once", () => {
  const path = "dodeka/root-1.0.0.squashfs";
  assert.equal(VOLUME.files.get(path)?.offset, VOLUME.appendedOffset + (ESP.files.get(path)?.offset ?? 0));
  const literal = VOLUME.layout.extents.reduce((sum, e) => sum + (e.source.kind === "bytes" ? e.length : 0), 0);
  assert.ok(
    literal < 2_100_000,
    `${literal} literal bytes for 720 kB in the ESP, 1.03 MB of tables and 240 kB of entries`,
  );
});

test("layoutIso aligns the appended image, keeps zeros at both ends and whole blocks", () => {
  assert.equal(VOLUME.appendedOffset % 2 ** 20, 0);
  assert.equal(VOLUME.layout.length % 2048, 0);
  assert.equal(VOLUME.layout.length, VOLUME.appendedOffset + HYBRID.appended.content.length + 9 * 2048);
  for (const bytes of [
    layoutBytes(VOLUME.layout, 0, 32_768),
    layoutBytes(VOLUME.layout, VOLUME.layout.length - 33 * 512),
  ]) {
    assert.ok(bytes.every((b) => b === 0));
  }
});

test("layoutIso says the whole length and the epoch in the primary descriptor", () => {
  const primary = layoutBytes(VOLUME.layout, 16 * 2048, 2048);
  assert.equal(viewOf(primary).getUint32(80, true) * 2048, VOLUME.layout.length);
  const text = Buffer.from(primary).toString("latin1");
  assert.equal(text.slice(813, 829), "2023111422132100");
  assert.equal(text.slice(830, 846), "2023111422132100");
  assert.equal(text.slice(847, 863), "0000000000000000");
  assert.equal(text.slice(864, 880), "2023111422132100");
});

test("layoutIso gives equal bytes for equal options", () => {
  const again = layoutIso(hybridOptions().options).layout;
  assert.equal(sha256(layoutBytes(again)), sha256(layoutBytes(VOLUME.layout)));
});

test("layoutIso keeps its bytes frozen", () => {
  const { layout } = layoutIso(isoOptions());
  assert.equal(sha256(layoutBytes(layout)), "d866d8f58167294e669b263898d2514701d59a916c902afaff2c486bcec8ba2e");
});

const hollow = (length: number): Layout => zerosLayout(length);
const bios = { path: "b.img", image: patternBytes(4096, 1), loadSectors: 4, grubDiskBoot: false };
for (const [name, over, code] of [
  ["an empty volume id", { volumeId: "" }, "LAYOUT_INVALID"],
  ["a lower-case volume id", { volumeId: "dodeka" }, "LAYOUT_INVALID"],
  ["a volume id of 33 characters", { volumeId: "A".repeat(33) }, "LAYOUT_INVALID"],
  ["a publisher of 129 characters", { publisherId: "A".repeat(129) }, "LAYOUT_INVALID"],
  ["a lower-case application", { applicationId: "dodeka" }, "LAYOUT_INVALID"],
  ["an epoch before 1970", { epochSeconds: -1 }, "LAYOUT_OVERFLOW"],
  ["an epoch after 2155", { epochSeconds: 5_869_583_999 + 86_400 }, "LAYOUT_OVERFLOW"],
  ["a file of 4 GiB", { entries: [{ kind: "file", path: "big", content: hollow(2 ** 32) }] }, "LAYOUT_OVERFLOW"],
  ["a path that comes twice", { entries: [isoFile("a", 1), isoFile("a", 2)] }, "LAYOUT_INVALID"],
  ["a file that is also a directory", { entries: [isoFile("a/b", 1), isoFile("a", 2)] }, "LAYOUT_INVALID"],
  ["a directory that is also a file", { entries: [isoFile("a", 2), isoFile("a/b", 1)] }, "LAYOUT_INVALID"],
  ["a way out of the root", { entries: [isoFile("../a", 2)] }, "LAYOUT_INVALID"],
  ["a control character", { entries: [isoFile("a\nb", 2)] }, "LAYOUT_INVALID"],
  ["a name of 256 bytes", { entries: [isoFile("é".repeat(128), 2)] }, "LAYOUT_INVALID"],
  ["a file at level 9", { entries: [isoFile("1/2/3/4/5/6/7/8/x", 2)] }, "LAYOUT_INVALID"],
  ["a slice off a block", { entries: [{ kind: "slice", path: "s", offset: 512, length: 1 }] }, "LAYOUT_INVALID"],
  ["a slice past the end", { entries: [{ kind: "slice", path: "s", offset: 2048, length: 2049 }] }, "LAYOUT_INVALID"],
  [
    "a slice of negative length",
    { entries: [{ kind: "slice", path: "s", offset: 2048, length: -1 }] },
    "LAYOUT_INVALID",
  ],
  ["an alignment off a block", { appended: { content: hollow(4096), alignmentBytes: 512 } }, "LAYOUT_INVALID"],
  ["half a trailing byte", { trailingBytes: 0.5 }, "LAYOUT_INVALID"],
  [
    "a boot image without room for its table",
    { boot: { bios: { ...bios, image: new Uint8Array(63) } } },
    "LAYOUT_INVALID",
  ],
  [
    "a boot image without room for GRUB's list",
    { boot: { bios: { ...bios, image: new Uint8Array(2555), grubDiskBoot: true } } },
    "LAYOUT_INVALID",
  ],
  ["an entry in the place of the boot image", { entries: [isoFile("b.img", 1)], boot: { bios } }, "LAYOUT_INVALID"],
  ["more sectors to load than 16 bits count", { boot: { bios: { ...bios, loadSectors: 65_536 } } }, "LAYOUT_OVERFLOW"],
  ["more blocks than 32 bits count", { trailingBytes: 2 ** 32 * 2048 }, "LAYOUT_OVERFLOW"],
] satisfies [string, Partial<IsoOptions>, string][]) {
  test(`layoutIso refuses ${name}`, () => {
    const appended = { content: hollow(4096), alignmentBytes: 2048 };
    assert.throws(() => layoutIso(isoOptions({ entries: [], appended, ...over })), { code });
  });
}

test("layoutIso accepts a file of 4 GiB less one byte and a name of 255 bytes", () => {
  const entries: IsoEntry[] = [{ kind: "file", path: "x".repeat(255), content: hollow(2 ** 32 - 1) }];
  assert.equal(layoutIso(isoOptions({ entries })).files.get("x".repeat(255))?.length, 2 ** 32 - 1);
});

test("overlaySystemArea puts bytes first and refuses more than 32768 of them", () => {
  const bytes = patternBytes(17_408, 3);
  const layout = overlaySystemArea(VOLUME.layout, bytes);
  assert.equal(layout.length, VOLUME.layout.length);
  assert.deepEqual(layoutBytes(layout, 0, bytes.length), bytes);
  assert.deepEqual(layoutBytes(layout, 32_768, 65_536), layoutBytes(VOLUME.layout, 32_768, 65_536));
  assert.throws(() => overlaySystemArea(VOLUME.layout, new Uint8Array(32_769)), { code: "LAYOUT_OVERFLOW" });
});

test("overlayTrailer puts bytes last and refuses to write over anything but zeros", () => {
  const layout = overlayTrailer(VOLUME.layout, patternBytes(33 * 512, 4));
  assert.equal(layout.length, VOLUME.layout.length);
  assert.deepEqual(layoutBytes(layout, layout.length - 33 * 512), patternBytes(33 * 512, 4));
  const full = concatLayouts([zerosLayout(10), bytesLayout(patternBytes(10, 1))]);
  assert.throws(() => overlayTrailer(full, new Uint8Array(1)), { code: "LAYOUT_OVERFLOW" });
});
