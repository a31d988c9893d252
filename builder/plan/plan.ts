// SPDX-License-Identifier: Apache-2.0
// The plan: canonical JSON that says everything about the images of one build before a byte of them exists. Its SHA-256
// is its id. Geometry (offsets, sizes) follows from the core; it is written out so that people and tests can read it.
import { sha256 } from "../layout/digest.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { OutputKind } from "../profile/model.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { PlanCore } from "./core.ts";

/** A file or section at a place, in bytes. */
export interface PlacedItem {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export interface PlannedPartition extends PlacedItem {
  readonly typeGuid: string;
  readonly guid: string;
}

export interface PlannedFat {
  readonly volumeId: number;
  readonly label: string;
  readonly clusterBytes: number;
  /** Offsets within the volume. */
  readonly files: readonly PlacedItem[];
}

/** Files for an ESP, carried by what is none: an initramfs, or an archive. */
export interface CarriedEsp {
  /** Offsets within the output. */
  readonly files: readonly PlacedItem[];
  /** Sections of the UKI among them; offsets within that UKI. */
  readonly uki: readonly PlacedItem[];
}

interface OutputCommon {
  /** File name. */
  readonly file: string;
  readonly size: number;
}

export type OutputPlan = OutputCommon &
  (
    | {
        readonly kind: "raw";
        readonly sectorBytes: number;
        readonly diskGuid: string;
        readonly partitions: readonly PlannedPartition[];
        readonly esp: PlannedFat;
        readonly uki: readonly PlacedItem[];
      }
    | {
        readonly kind: "iso";
        readonly volumeId: string;
        readonly diskGuid: string;
        readonly partitions: readonly PlannedPartition[];
        readonly esp: PlannedFat;
        /** Entries of the ISO9660 tree; offsets within the image. */
        readonly files: readonly PlacedItem[];
        readonly uki: readonly PlacedItem[];
      }
    | { readonly kind: "uki"; readonly sections: readonly PlacedItem[]; readonly carried: CarriedEsp }
    | {
        readonly kind: "installer";
        /** Of the OCI image. */
        readonly manifest: BlobRef;
        /** Members of the archive that describe the image; offsets within the output. */
        readonly documents: readonly PlacedItem[];
        readonly carried: CarriedEsp;
      }
    | { readonly kind: "kernel" | "root"; readonly blob: BlobRef }
    | { readonly kind: "initramfs"; readonly carried: CarriedEsp }
    | { readonly kind: "cmdline"; readonly text: string }
  );

export interface Plan {
  readonly format: 1;
  /** Digest of the core; every UUID and volume id derives from it. */
  readonly seed: Sha256;
  readonly core: PlanCore;
  readonly outputs: readonly OutputPlan[];
}

/** SHA-256 of the canonical JSON. */
export function planId(plan: Plan): Sha256 {
  return sha256(canonicalJson(plan));
}

export function outputFileName(core: PlanCore, kind: OutputKind): string {
  const { platform, arch } = core;
  switch (kind) {
    case "raw":
    case "iso":
      return `${platform}-${arch}.${kind}`;
    case "uki":
      return `${platform}-${arch}-uki.efi`;
    case "installer":
      return `installer-${arch}.tar`;
    case "kernel":
      return `kernel-${arch}`;
    case "initramfs":
      return `initramfs-${arch}.xz`; // the name that image-factory's clients ask for; the content is zstd and stored cpio
    case "cmdline":
      return `cmdline-${platform}-${arch}`;
    case "root":
      return `root-${arch}.img`;
    default:
      return kind satisfies never;
  }
}
