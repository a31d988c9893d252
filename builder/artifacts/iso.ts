// SPDX-License-Identifier: Apache-2.0
// The hybrid ISO: one file for CD and USB stick, BIOS and UEFI. It holds an ESP image; the entries of the ISO9660 tree
// point at the files inside it, so every byte of the OS is there once. A GPT in the system area names the ESP for
// firmware that sees a disk. Spec: El Torito 1.0; UEFI 2.10 sections 5 and 13.3.2.1; ECMA-119.
import { padLayout, roundUp } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import type { Fat32Volume } from "../layout/fat32.ts";
import { layoutFat32, minimumFat32Bytes } from "../layout/fat32.ts";
import type { GptPartition } from "../layout/gpt.ts";
import { PARTITION_TYPES, encodeGpt } from "../layout/gpt.ts";
import { embedGrubHybrid } from "../layout/grub-disk.ts";
import type { IsoEntry, IsoVolume } from "../layout/iso9660.ts";
import { layoutIso, overlaySystemArea, overlayTrailer } from "../layout/iso9660.ts";
import { encodeHybridMbr } from "../layout/mbr.ts";
import type { Identities, PlanCore } from "../plan/core.ts";
import { outputFileName } from "../plan/plan.ts";
import { espFiles } from "./boot-files.ts";
import type { PlannedOutput } from "./planned.ts";
import { placedFiles, plannedFat, plannedPartitions } from "./planned.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutUki, placedSections } from "./uki.ts";

const BLOCK_BYTES = 2048; // of a CD
const SECTOR_BYTES = 512; // of the GPT: USB sticks have these
const ESP_ALIGNMENT_BYTES = 4096;
const BACKUP_GPT_BYTES = 33 * SECTOR_BYTES;
const GRUB_CD_PATH = "boot/grub-cd.img";
const GRUB_LOAD_SECTORS = 4;
const VOLUME_ID = "DODEKA";

export function layoutIsoImage(core: PlanCore, identities: Identities, parts: SmallParts): PlannedOutput {
  const uki = layoutUki(core, parts);
  const esp = layoutIsoEsp(core, identities, espFiles(core, uki));
  const volume = layoutVolume(core, parts, esp);
  const diskGuid = identities.uuid("iso disk");
  const partition: GptPartition = {
    name: "EFI",
    typeGuid: PARTITION_TYPES.esp,
    guid: identities.uuid("iso partition EFI"),
    firstLba: volume.appendedOffset / SECTOR_BYTES,
    lastLba: (volume.appendedOffset + esp.layout.length) / SECTOR_BYTES - 1,
  };
  const layout = overlayTables(volume, partition, {
    diskGuid,
    signature: identities.volumeId("iso mbr"),
    hybrid: parts["grub-hybrid"],
  });
  return {
    layout,
    plan: {
      kind: "iso",
      file: outputFileName(core, "iso"),
      size: layout.length,
      volumeId: VOLUME_ID,
      diskGuid,
      partitions: plannedPartitions([partition], SECTOR_BYTES),
      esp: plannedFat(esp, identities.volumeId("iso esp"), VOLUME_ID),
      files: placedFiles(volume.files),
      uki: placedSections(uki.sections),
    },
  };
}

/** The smallest FAT32 that holds the files; each starts at a multiple of 4096, which is one of the CD's 2048. */
function layoutIsoEsp(core: PlanCore, identities: Identities, files: ReturnType<typeof espFiles>): Fat32Volume {
  const content = { files, sectorBytes: SECTOR_BYTES, fileAlignment: ESP_ALIGNMENT_BYTES } as const;
  return layoutFat32({
    ...content,
    lengthBytes: roundUp(minimumFat32Bytes(content), ESP_ALIGNMENT_BYTES),
    volumeId: identities.volumeId("iso esp"),
    label: VOLUME_ID,
    epochSeconds: core.epochSeconds,
    hiddenSectors: 0, // the offset depends on the ISO around it, and no reader asks for it
  });
}

function layoutVolume(core: PlanCore, parts: SmallParts, esp: Fat32Volume): IsoVolume {
  const entries = [...esp.files].map(([path, range]): IsoEntry => ({ kind: "slice", path, ...range }));
  return layoutIso({
    volumeId: VOLUME_ID,
    publisherId: "DODEKA",
    applicationId: `DODEKA ${core.platform.toUpperCase()}`,
    epochSeconds: core.epochSeconds,
    entries,
    appended: { content: padLayout(esp.layout, BLOCK_BYTES), alignmentBytes: ESP_ALIGNMENT_BYTES },
    boot: {
      bios: { path: GRUB_CD_PATH, image: parts["grub-cd"], loadSectors: GRUB_LOAD_SECTORS, grubDiskBoot: true },
      uefi: "appended",
    },
    trailingBytes: BACKUP_GPT_BYTES,
  });
}

interface TableOptions {
  readonly diskGuid: string;
  readonly signature: number;
  /** GRUB's boot_hybrid.img. */
  readonly hybrid: Uint8Array;
}

/** Lays MBR and GPT over the system area, and the backup GPT over the reserved end. */
function overlayTables(volume: IsoVolume, partition: GptPartition, options: TableOptions): Layout {
  const totalSectors = volume.layout.length / SECTOR_BYTES;
  const eltoritoLba512 = (volume.eltoritoBios?.offset ?? 0) / SECTOR_BYTES;
  const gpt = encodeGpt({
    sectorBytes: SECTOR_BYTES,
    totalSectors,
    diskGuid: options.diskGuid,
    partitions: [partition],
  });
  // An empty but active record: many BIOSes start a stick only when the MBR has an active partition.
  const active = { type: 0, firstLba: 0, sectors: 1, active: true };
  const bootCode = embedGrubHybrid({ bootHybridImg: options.hybrid, eltoritoLba512 });
  const mbr = encodeHybridMbr({ totalSectors, bootCode, diskSignature: options.signature, entries: [active] });
  const withTables = overlaySystemArea(volume.layout, Buffer.concat([mbr, gpt.primary]));
  return overlayTrailer(withTables, gpt.backup);
}
