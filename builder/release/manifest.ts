// SPDX-License-Identifier: Apache-2.0
// The Release: a manifest that names every part of one OS version by digest, size, licence and origin. Its own digest
// names the release. Assembly reads nothing else of what compile made.
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";

/** The parts that assembly needs; a manifest must hold each. */
export const PART_NAMES = [
  "kernel", //        the kernel image (bzImage)
  "kernel-config", // its configuration
  "initramfs", //     base initramfs: stage1 and drivers, zstd
  "root", //          root image: squashfs, verity superblock, hash tree
  "uki-stub", //      systemd-stub
  "systemd-boot", //  UEFI boot menu
  "grub-boot", //     GRUB's MBR code for disks
  "grub-core", //     GRUB for the BIOS boot partition
  "grub-cd", //       GRUB for El Torito
  "grub-hybrid", //   GRUB's MBR code for ISO images on USB sticks
  "os-release",
] as const;

export type PartName = (typeof PART_NAMES)[number];

export interface Part extends BlobRef {
  /** SPDX licence expression. */
  readonly licence: string;
  /** What it was made of: `deb:name@version`, `go:userland`, `dodeka:…`. */
  readonly origin: readonly string[];
}

export interface RootIdentity {
  /** dm-verity root hash. */
  readonly hash: Sha256;
  /** 4096-byte blocks that the tree covers. */
  readonly dataBlocks: number;
}

export interface Release {
  readonly format: 1;
  readonly version: string;
  readonly arch: "amd64";
  /** Seconds since 1970: the time that images carry. */
  readonly epochSeconds: number;
  /** `nxCompatible`: the kernel image claims NX_COMPAT in its PE header, so the UKI may too. */
  readonly kernel: { readonly flavour: "stock"; readonly release: string; readonly nxCompatible: boolean };
  readonly root: RootIdentity;
  readonly parts: Readonly<Record<PartName, Part>>;
}

export function renderRelease(release: Release): string {
  return canonicalJson(release);
}

/** Narrows a manifest's text. Throws RELEASE_INVALID with the field. */
export function parseRelease(text: string, file: string): Release {
  let value: Release;
  try {
    value = JSON.parse(text) as Release;
  } catch {
    throw invalid(file, "document", text.slice(0, 40), "JSON");
  }
  if (value.format !== 1) throw invalid(file, "format", value.format, "1");
  if (value.arch !== "amd64") throw invalid(file, "arch", value.arch, '"amd64"');
  if (!/^[0-9A-Za-z.+~-]{1,40}$/.test(value.version)) throw invalid(file, "version", value.version, "a version");
  if (!Number.isSafeInteger(value.epochSeconds) || value.epochSeconds < 0)
    throw invalid(file, "epochSeconds", value.epochSeconds, "seconds");
  if (!isSha256(value.root?.hash ?? "")) throw invalid(file, "root.hash", value.root?.hash, "a SHA-256");
  if (!Number.isSafeInteger(value.root.dataBlocks) || value.root.dataBlocks < 1)
    throw invalid(file, "root.dataBlocks", value.root.dataBlocks, "a count");
  for (const name of PART_NAMES) {
    const part = value.parts?.[name];
    if (part === undefined || !isSha256(part.digest) || !Number.isSafeInteger(part.size) || part.size < 1) {
      throw invalid(file, `parts.${name}`, part, "a part with digest and size");
    }
  }
  return value;
}

function invalid(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "RELEASE_INVALID", file, field, found, expected, fix: "run `dodeka release build`" });
}
