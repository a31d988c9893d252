// SPDX-License-Identifier: Apache-2.0
// The core of a plan: every input that decides a byte, by digest. Identifiers derive from the core's own digest, so that
// equal inputs agree on them and two different images never share one.
import { sha256 } from "../layout/digest.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { deriveUuid, deriveVolumeId } from "../layout/identity.ts";
import type { SectorBytes } from "../layout/gpt.ts";
import { composeCommandLine } from "../profile/command-line.ts";
import type { Arch, Platform, Profile } from "../profile/model.ts";
import { canonicalJson } from "./canonical-json.ts";

/** The parts of a release that images are made of; a subset of the manifest, by the same names. */
export type ImagePartName =
  | "kernel"
  | "initramfs"
  | "root"
  | "uki-stub"
  | "systemd-boot"
  | "grub-boot"
  | "grub-core"
  | "grub-cd"
  | "grub-hybrid"
  | "os-release";

/** What planning needs to know of a Release. */
export interface ReleaseFacts {
  readonly version: string;
  readonly arch: Arch;
  /** Seconds since 1970. */
  readonly epochSeconds: number;
  readonly kernel: { readonly release: string; readonly nxCompatible: boolean };
  readonly root: { readonly hash: Sha256; readonly dataBlocks: number };
  readonly parts: Readonly<Record<ImagePartName, BlobRef>>;
}

export interface PlanCore {
  readonly version: string;
  readonly platform: Platform;
  readonly arch: Arch;
  readonly epochSeconds: number;
  readonly kernel: { readonly release: string; readonly nxCompatible: boolean };
  readonly root: { readonly hash: Sha256; readonly dataBlocks: number };
  readonly parts: Readonly<Record<ImagePartName, BlobRef>>;
  /** Kernel command line, without a NUL or line break. */
  readonly commandLine: string;
  /** Embedded machine configuration, opaque; null when the image has none. */
  readonly machineConfig: BlobRef | null;
  readonly disk: { readonly espBytes: number; readonly sectorBytes: SectorBytes };
}

const PART_NAMES: readonly ImagePartName[] = [
  "kernel",
  "initramfs",
  "root",
  "uki-stub",
  "systemd-boot",
  "grub-boot",
  "grub-core",
  "grub-cd",
  "grub-hybrid",
  "os-release",
];

/** Seconds until a machine whose kernel panicked starts again, so that a bad version can fall back. */
const PANIC_SECONDS = 30;

/** Combines a profile and a release. `machineConfig` is the blob of what the profile embeds. Throws PROFILE_INVALID, PLAN_IMPOSSIBLE. */
export function planCore(profile: Profile, release: ReleaseFacts, machineConfig: BlobRef | null): PlanCore {
  const parts = Object.fromEntries(PART_NAMES.map((name) => [name, blobRef(release.parts[name])]));
  return {
    version: release.version,
    platform: profile.platform,
    arch: profile.arch,
    epochSeconds: release.epochSeconds,
    kernel: { release: release.kernel.release, nxCompatible: release.kernel.nxCompatible },
    root: { hash: release.root.hash, dataBlocks: release.root.dataBlocks },
    parts: parts as Record<ImagePartName, BlobRef>,
    commandLine: composeCommandLine(profile, factoryArguments(profile, release)),
    machineConfig: machineConfig === null ? null : blobRef(machineConfig),
    disk: { espBytes: profile.disk.espSizeBytes, sectorBytes: profile.disk.sectorSize },
  };
}

/** The arguments that the factory owns: what the root image is, and what machine this is for. */
function factoryArguments(profile: Profile, release: ReleaseFacts): readonly string[] {
  return [
    `dodeka.root=${release.root.hash}`,
    `dodeka.root.blocks=${release.root.dataBlocks}`,
    `dodeka.version=${release.version}`,
    `dodeka.platform=${profile.platform}`,
    `panic=${PANIC_SECONDS}`,
  ];
}

/** Without what a manifest says beyond digest and size, since licences do not change a byte. */
function blobRef({ digest, size }: BlobRef): BlobRef {
  return { digest, size };
}

/** Identifiers of one plan by purpose. */
export interface Identities {
  readonly seed: Sha256;
  readonly uuid: (purpose: string) => string;
  readonly volumeId: (purpose: string) => number;
}

export function identitiesOf(core: PlanCore): Identities {
  const seed = sha256(canonicalJson(core));
  return { seed, uuid: (purpose) => deriveUuid(seed, purpose), volumeId: (purpose) => deriveVolumeId(seed, purpose) };
}
