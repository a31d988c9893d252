// SPDX-License-Identifier: Apache-2.0
// A disk of 128 MiB (or 1 GiB, on 4096-byte sectors) with three partitions.
import { PARTITION_TYPES } from "../../builder/layout/gpt.ts";
import type { GptPartition, GptRequest } from "../../builder/layout/gpt.ts";

export function gptPartition(number: number, over: Partial<GptPartition>): GptPartition {
  return {
    name: `P${number}`,
    typeGuid: PARTITION_TYPES.linuxData,
    guid: `00000000-0000-8000-8000-${number.toString(16).padStart(12, "0")}`,
    firstLba: 2048,
    lastLba: 4095,
    ...over,
  };
}

export const GPT_SAMPLE: GptRequest = {
  sectorBytes: 512,
  totalSectors: 262_144,
  diskGuid: "01020304-0506-0708-8908-090a0b0c0d0e",
  partitions: [
    gptPartition(1, { name: "EFI", typeGuid: PARTITION_TYPES.esp, firstLba: 2048, lastLba: 0x20fff, attributes: 4n }),
    gptPartition(2, { name: "BIOS", typeGuid: PARTITION_TYPES.biosBoot, firstLba: 0x21000, lastLba: 0x217ff }),
    gptPartition(3, { name: "META größe 😀", firstLba: 0x21800, lastLba: 0x21fff }),
  ],
};
