// SPDX-License-Identifier: Apache-2.0
// The raw disk image: GPT with ESP, BIOS boot partition and META. It ends after META: STATE and EPHEMERAL are made on
// the device at first boot. Spec: UEFI 2.10 section 5; UAPI.2 Discoverable Partitions.
// With sectors of 4096 bytes there is no BIOS boot: BIOS firmware and GRUB's boot.img know 512 only.
import { FactoryError } from "../errors.ts";
import type { GptPartition } from "../layout/gpt.ts";
import { PARTITION_TYPES, encodeGpt } from "../layout/gpt.ts";
import { embedGrubDisk } from "../layout/grub-disk.ts";
import { bytesLayout, placeLayouts, roundUp, zerosLayout } from "../layout/extent.ts";
import type { Layout, Placement } from "../layout/extent.ts";
import type { Fat32Content, Fat32Volume } from "../layout/fat32.ts";
import { layoutFat32, minimumFat32Bytes } from "../layout/fat32.ts";
import { encodeProtectiveMbr } from "../layout/mbr.ts";
import type { Uki } from "../layout/uki.ts";
import type { Identities, PlanCore } from "../plan/core.ts";
import { outputFileName } from "../plan/plan.ts";
import { espFiles } from "./boot-files.ts";
import type { PlannedOutput } from "./planned.ts";
import { plannedFat, plannedPartitions } from "./planned.ts";
import { formatSize } from "../profile/size.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutUki, placedSections } from "./uki.ts";

const MIB = 1024 * 1024;
const ALIGNMENT_BYTES = MIB;
const BIOS_BOOT_BYTES = MIB;
const META_BYTES = MIB;
const ESP_LABEL = "DODEKA";

interface Slot {
  readonly name: string;
  readonly typeGuid: string;
  readonly offset: number;
  readonly bytes: number;
  readonly content: Layout;
}

/** Throws PLAN_IMPOSSIBLE when the ESP is too small for its files or for FAT32. */
export function layoutDisk(core: PlanCore, identities: Identities, parts: SmallParts): PlannedOutput {
  const { sectorBytes } = core.disk;
  const uki = layoutUki(core, parts);
  const esp = layoutEsp(core, identities, uki);
  const { slots, bootCode } = arrange(core, parts, esp.layout);
  const partitions = slots.map((slot) => gptPartition(slot, sectorBytes, identities));
  const diskGuid = identities.uuid("raw disk");
  const size = Math.max(...slots.map((slot) => slot.offset + slot.bytes)) + ALIGNMENT_BYTES; // the last MiB: backup GPT
  const totalSectors = size / sectorBytes;
  const gpt = encodeGpt({ sectorBytes, totalSectors, diskGuid, partitions });
  const mbr = encodeProtectiveMbr({ totalSectors, bootCode, diskSignature: identities.volumeId("raw mbr") });
  const placements: Placement[] = [
    { what: "MBR", offset: 0, layout: bytesLayout(mbr) },
    { what: "GPT", offset: sectorBytes, layout: bytesLayout(gpt.primary) },
    ...slots.map((slot) => ({ what: `partition ${slot.name}`, offset: slot.offset, layout: slot.content })),
    { what: "backup GPT", offset: gpt.backupEntriesLba * sectorBytes, layout: bytesLayout(gpt.backup) },
  ];
  return {
    layout: placeLayouts(size, placements),
    plan: {
      kind: "raw",
      file: outputFileName(core, "raw"),
      size,
      sectorBytes,
      diskGuid,
      partitions: plannedPartitions(partitions, sectorBytes),
      esp: plannedFat(esp, identities.volumeId("raw esp"), ESP_LABEL),
      uki: placedSections(uki.sections),
    },
  };
}

function layoutEsp(core: PlanCore, identities: Identities, uki: Uki): Fat32Volume {
  const content: Fat32Content = { files: espFiles(core, uki), sectorBytes: core.disk.sectorBytes };
  try {
    return layoutFat32({
      ...content,
      lengthBytes: core.disk.espBytes,
      volumeId: identities.volumeId("raw esp"),
      label: ESP_LABEL,
      epochSeconds: core.epochSeconds,
      hiddenSectors: ALIGNMENT_BYTES / core.disk.sectorBytes,
    });
  } catch (error) {
    throw error instanceof FactoryError && error.code === "PLAN_IMPOSSIBLE" ? espTooSmall(core, content, error) : error;
  }
}

/** The writer knows volumes; the user knows a field of the profile. */
function espTooSmall({ disk }: PlanCore, content: Fat32Content, cause: FactoryError): FactoryError {
  const least = formatSize(roundUp(minimumFat32Bytes(content), ALIGNMENT_BYTES));
  return new FactoryError({
    code: "PLAN_IMPOSSIBLE",
    field: "disk.espSize",
    found: formatSize(disk.espBytes),
    expected: `at least ${least} with sectors of ${disk.sectorBytes} bytes: room for the OS, and FAT32's least number of clusters`,
    fix: `write ${least} or more; twice that holds the next version too`,
    cause,
  });
}

/** Partitions one behind the other, each at a whole MiB, and the MBR's boot code where there is BIOS boot. */
function arrange(
  core: PlanCore,
  parts: SmallParts,
  esp: Layout,
): { slots: readonly Slot[]; bootCode: Uint8Array | undefined } {
  const { espBytes, sectorBytes } = core.disk;
  const slots: Slot[] = [];
  let offset = ALIGNMENT_BYTES;
  const add = (name: string, typeGuid: string, bytes: number, content: Layout): void => {
    slots.push({ name, typeGuid, offset, bytes, content });
    offset += roundUp(bytes, ALIGNMENT_BYTES);
  };
  add("EFI", PARTITION_TYPES.esp, espBytes, esp);
  let bootCode: Uint8Array | undefined;
  if (sectorBytes === 512) {
    const grub = embedGrubDisk({
      bootImg: parts["grub-boot"],
      coreImg: parts["grub-core"],
      coreLba: offset / sectorBytes,
    });
    add("BIOS", PARTITION_TYPES.biosBoot, BIOS_BOOT_BYTES, bytesLayout(grub.core));
    bootCode = grub.bootCode;
  }
  add("META", PARTITION_TYPES.linuxData, META_BYTES, zerosLayout(META_BYTES));
  return { slots, bootCode };
}

function gptPartition(slot: Slot, sectorBytes: number, identities: Identities): GptPartition {
  return {
    name: slot.name,
    typeGuid: slot.typeGuid,
    guid: identities.uuid(`raw partition ${slot.name}`),
    firstLba: slot.offset / sectorBytes,
    lastLba: (slot.offset + slot.bytes) / sectorBytes - 1,
  };
}
