// SPDX-License-Identifier: Apache-2.0
// Makes a UEFI program bootable: a stand-alone UKI goes onto a small ESP as EFI/BOOT/BOOTX64.EFI, where firmware looks
// for it, so that it is started by the firmware itself and not by a boot loader. Other images are used as they are.
import { mkdtemp, open, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesLayout } from "../layout/extent.ts";
import { layoutFat32, minimumFat32Bytes } from "../layout/fat32.ts";
import { removeTree } from "./remove-tree.ts";
import { writeImageFile } from "./image-file.ts";

export interface BootableImage {
  readonly path: string;
  readonly discard: () => Promise<void>;
}

const EFI_MAGIC = "MZ";
const MIB = 1024 * 1024;

export async function bootableImage(path: string): Promise<BootableImage> {
  if (!(await isEfiProgram(path))) return { path, discard: async () => undefined };
  const dir = await mkdtemp(join(tmpdir(), "dodeka-esp-"));
  const files = [{ path: "EFI/BOOT/BOOTX64.EFI", content: bytesLayout(await readFile(path)) }];
  const lengthBytes = Math.ceil(minimumFat32Bytes({ files, sectorBytes: 512 }) / MIB + 1) * MIB;
  const epochSeconds = 1_700_000_000; // any time will do: this volume lives as long as the machine
  const esp = layoutFat32({
    files,
    sectorBytes: 512,
    lengthBytes,
    volumeId: 1,
    label: "UKI",
    epochSeconds,
    hiddenSectors: 0,
  });
  const image = await writeImageFile({ layout: esp.layout, blobs: { read: noBlobs }, path: join(dir, "esp.img") });
  await image.digest;
  return { path: image.path, discard: () => removeTree(dir) };
}

async function isEfiProgram(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    // A disk's boot sector may start with MZ only by accident; it would end in 55 AA.
    return buffer.toString("latin1", 0, 2) === EFI_MAGIC && buffer.readUInt16LE(510) !== 0xaa55;
  } finally {
    await file.close();
  }
}

// eslint-disable-next-line require-yield
async function* noBlobs(): AsyncIterable<Uint8Array> {
  throw new Error("BUG: a layout of literal bytes asked for a blob");
}
