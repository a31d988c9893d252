// SPDX-License-Identifier: Apache-2.0
// The component model of one artifact: what CycloneDX and SPDX documents are written from, and what two artifacts are
// compared by. Pure data; equal inputs give equal models.
import type { Sha256 } from "../builder/layout/digest.ts";
import type { Component, FileDigests, Waiver } from "./inventory.ts";

export interface ModelFile extends FileDigests {
  /**
   * Unique in the model. A file inside a file stands behind "!":
   * `esp/EFI/Linux/dodeka_0.1.0.efi!.initrd!init` is a file of the initramfs in a section of a UKI on the ESP.
   */
  readonly path: string;
  /** A container's bytes are listed again as the files in it; leaves are what coverage counts. */
  readonly kind: "leaf" | "container";
  /** Permission bits, where the file system has them. */
  readonly mode: number | null;
  /** Of a symlink. */
  readonly target: string | null;
  /** Component id, or NO_OWNER for a waived file. */
  readonly owner: string;
}

export interface DescribedArtifact {
  readonly file: string;
  /** Output kind of the profile: raw, iso, … */
  readonly kind: string;
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  readonly size: number;
  readonly digest: Sha256;
  readonly planId: Sha256;
  readonly epochSeconds: number;
}

export interface ComponentModel {
  readonly artifact: DescribedArtifact;
  /** Components that own a file of the artifact, and all that those depend on. Sorted by id. */
  readonly components: readonly Component[];
  /** Sorted by path. */
  readonly files: readonly ModelFile[];
  readonly formulation: readonly Component[];
  /** Texts of the LicenseRefs in use. */
  readonly licences: Readonly<Record<string, string>>;
  readonly waived: readonly Waiver[];
}

export interface Coverage {
  /** Bytes of all leaves: the content, without the tables and padding that the plan describes. */
  readonly totalBytes: number;
  readonly ownedBytes: number;
  /** Whole percent, rounded down, so that 100 means all. */
  readonly percent: number;
}

/** How much of the artifact's content has an owner. */
export function coverageOf(model: ComponentModel): Coverage {
  const leaves = model.files.filter((f) => f.kind === "leaf");
  const ids = new Set(model.components.map((c) => c.id));
  const sum = (files: readonly ModelFile[]): number => files.reduce((bytes, f) => bytes + f.size, 0);
  const totalBytes = sum(leaves);
  const ownedBytes = sum(leaves.filter((f) => ids.has(f.owner)));
  return { totalBytes, ownedBytes, percent: totalBytes === 0 ? 100 : Math.floor((100 * ownedBytes) / totalBytes) };
}
