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
  "inventory", //     every file, its owner, and the components: what SBOMs are made of
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
  readonly kernel: KernelFacts;
  readonly root: RootIdentity;
  /**
   * The parts by name. A kernel from source adds `kernel-symbols` (System.map), `kernel-drivers` (release/driver-table.ts)
   * and `kernel-modules-<group>`, an extension each, whose modules are not signed yet.
   */
  readonly parts: Readonly<Record<PartName, Part>> & Readonly<Record<string, Part>>;
}

/** stock: Debian's binary package. source: compiled by us from Debian's source package. */
export const KERNEL_FLAVOURS = ["stock", "source"] as const;

export type KernelFlavour = (typeof KERNEL_FLAVOURS)[number];

export interface KernelFacts {
  readonly flavour: KernelFlavour;
  /** uname -r. */
  readonly release: string;
  /** The kernel image claims NX_COMPAT in its PE header, so the UKI may too. */
  readonly nxCompatible: boolean;
  /** Of a kernel from source: its package (`deb:name@version`), the toolbox, and the finished configuration. */
  readonly source?: string;
  readonly toolbox?: Sha256;
  readonly configDigest?: Sha256;
}

/** A release before its inventory was taken. */
export type BareRelease = Omit<Release, "parts"> & {
  readonly parts: Readonly<Record<Exclude<PartName, "inventory">, Part>>;
};

export function renderRelease(release: Release): string {
  return canonicalJson(release);
}

/** Narrows a manifest's text. Throws RELEASE_INVALID with the field. */
export function parseRelease(text: string, file: string): Release {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(file, "document", text.slice(0, 40), "JSON");
  }
  const wrong = releaseProblem(value);
  if (wrong !== undefined) throw invalid(file, ...wrong);
  return value as Release;
}

type Problem = readonly [field: string, found: unknown, expected: string];

/** The first thing that makes `value` no manifest. */
function releaseProblem(value: unknown): Problem | undefined {
  if (!isRecord(value)) return ["document", value, "an object"];
  const { format, arch, version, epochSeconds, kernel, root, parts } = value;
  if (format !== 1) return ["format", format, "1"];
  if (arch !== "amd64") return ["arch", arch, '"amd64"'];
  if (!isName(version)) return ["version", version, "a version"];
  if (!isCount(epochSeconds)) return ["epochSeconds", epochSeconds, "seconds since 1970"];
  if (!isRecord(kernel)) return ["kernel", kernel, "flavour, release and nxCompatible"];
  if (!KERNEL_FLAVOURS.some((f) => f === kernel["flavour"]))
    return ["kernel.flavour", kernel["flavour"], KERNEL_FLAVOURS.join(" or ")];
  if (!isName(kernel["release"])) return ["kernel.release", kernel["release"], "a kernel release"];
  if (typeof kernel["nxCompatible"] !== "boolean") return ["kernel.nxCompatible", kernel["nxCompatible"], "a boolean"];
  if (!isRecord(root)) return ["root", root, "hash and dataBlocks"];
  if (!isDigest(root["hash"])) return ["root.hash", root["hash"], "a SHA-256"];
  if (!isCount(root["dataBlocks"]) || root["dataBlocks"] === 0)
    return ["root.dataBlocks", root["dataBlocks"], "a count"];
  if (!isRecord(parts)) return ["parts", parts, "the parts by name"];
  const names = new Set([...PART_NAMES, ...Object.keys(parts)]);
  const missing = [...names].find((name) => !isPart(parts[name]));
  if (missing === undefined) return undefined;
  return [`parts.${missing}`, parts[missing], "a part with digest, size, licence and origin"];
}

function isPart(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { digest, size, licence, origin } = value;
  const isOrigin = Array.isArray(origin) && origin.every((from) => typeof from === "string");
  return isDigest(digest) && isCount(size) && size > 0 && typeof licence === "string" && isOrigin;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDigest(value: unknown): value is Sha256 {
  return typeof value === "string" && isSha256(value);
}

/** Both versions stand in file names and on the kernel command line. */
function isName(value: unknown): boolean {
  return typeof value === "string" && /^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}$/.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function invalid(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "RELEASE_INVALID", file, field, found, expected, fix: "run `dodeka release build`" });
}
