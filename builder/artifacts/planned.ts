// SPDX-License-Identifier: Apache-2.0
// A planned output: what the plan says of it, and its layout. Below: layout writers' reports as the plan's records.
import type { Fat32Volume } from "../layout/fat32.ts";
import type { GptPartition } from "../layout/gpt.ts";
import type { Layout } from "../layout/extent.ts";
import type { OutputPlan, PlacedItem, Plan, PlannedFat, PlannedPartition } from "../plan/plan.ts";

export interface PlannedOutput {
  readonly plan: OutputPlan;
  readonly layout: Layout;
}

export interface PlannedImages {
  readonly plan: Plan;
  readonly outputs: readonly PlannedOutput[];
}

export function plannedFat(volume: Fat32Volume, volumeId: number, label: string): PlannedFat {
  return { volumeId, label, clusterBytes: volume.clusterBytes, files: placedFiles(volume.files) };
}

export function placedFiles(
  files: ReadonlyMap<string, { readonly offset: number; readonly length: number }>,
): readonly PlacedItem[] {
  return [...files].map(([name, { offset, length }]) => ({ name, offset, size: length }));
}

export function plannedPartitions(
  partitions: readonly GptPartition[],
  sectorBytes: number,
): readonly PlannedPartition[] {
  return partitions.map(({ name, typeGuid, guid, firstLba, lastLba }) => ({
    name,
    typeGuid,
    guid,
    offset: firstLba * sectorBytes,
    size: (lastLba - firstLba + 1) * sectorBytes,
  }));
}
