// SPDX-License-Identifier: Apache-2.0
// Test support: a small disk with everything inside each other that a real one has: GPT, FAT32, a UKI whose initramfs is
// a zstd frame and a stored archive, and a squashfs made by mksquashfs (`golden/tree.squashfs.base64`).
import { readFileSync } from "node:fs";
import { zstdCompressSync } from "node:zlib";
import { bytesLayout, concatLayouts, padLayout, placeLayouts } from "../../builder/layout/extent.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { joinCpioArchives, layoutCpio } from "../../builder/layout/cpio.ts";
import { layoutFat32 } from "../../builder/layout/fat32.ts";
import { encodeGpt } from "../../builder/layout/gpt.ts";
import { layoutUki } from "./sample-uki.ts";
import { buildVerity } from "../../builder/layout/verity.ts";
import { fatOptions } from "../layout/fat32-samples.ts";
import { gptPartition } from "../layout/gpt-samples.ts";
import { CPIO_SAMPLE, cpioDirectory, cpioFile } from "../layout/cpio-samples.ts";
import { layoutBytes } from "../layout/layout-image.ts";

export const SQUASHFS: Buffer = Buffer.from(
  readFileSync(new URL("golden/tree.squashfs.base64", import.meta.url), "utf8"),
  "base64",
);

/** The squashfs with its padding, verity superblock and hash tree. */
export async function sampleRoot(squashfs: Uint8Array = SQUASHFS): Promise<Layout> {
  const padded = padLayout(bytesLayout(squashfs), 4096);
  const chunks = (async function* () {
    yield layoutBytes(padded);
  })();
  const verity = await buildVerity(chunks, { salt: new Uint8Array(), uuid: "01020304-0506-8708-890a-0b0c0d0e0f10" });
  return concatLayouts([padded, bytesLayout(verity.hashArea)]);
}

export interface SampleOptions {
  /** Content of /late in the compressed archive. */
  readonly late?: string;
  readonly commandLine?: string;
}

export function sampleInitramfs({ late = "late" }: SampleOptions = {}): Layout {
  const archive = layoutCpio([...CPIO_SAMPLE, cpioFile("late", late), cpioFile("big", "b".repeat(400_000))]);
  const frame = bytesLayout(zstdCompressSync(layoutBytes(archive)));
  return joinCpioArchives([frame, layoutCpio([cpioDirectory("dodeka"), cpioFile("dodeka/config", "text")])]);
}

/** 80 MiB, mostly zeros: one EFI partition at 1 MiB. */
export async function sampleDisk(options: SampleOptions = {}): Promise<Layout> {
  const esp = layoutFat32(
    fatOptions({
      files: [
        { path: "EFI/Linux/a long name.efi", content: layoutUki(sampleInitramfs(options), options.commandLine) },
        { path: "dodeka/image.root", content: await sampleRoot() },
      ],
    }),
  );
  const totalSectors = (80 * 2 ** 20) / 512;
  const partition = gptPartition(1, { name: "EFI", firstLba: 2048, lastLba: 2048 + esp.layout.length / 512 - 1 });
  const diskGuid = "01020304-0506-0708-8908-090a0b0c0d0e";
  const gpt = encodeGpt({ sectorBytes: 512, totalSectors, diskGuid, partitions: [partition] });
  return placeLayouts(totalSectors * 512, [
    { what: "primary", offset: 512, layout: bytesLayout(gpt.primary) },
    { what: "esp", offset: 2 ** 20, layout: esp.layout },
    { what: "backup", offset: totalSectors * 512 - gpt.backup.length, layout: bytesLayout(gpt.backup) },
  ]);
}
