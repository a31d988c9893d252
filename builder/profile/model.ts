// SPDX-License-Identifier: Apache-2.0
// What a user wants, after parsing: complete (every default is filled in), checked, and read-only.
// fields.ts describes the same values as the user writes them; parse.ts leads from one to the other.

/** Version of the profile format that this factory reads. */
export const PROFILE_FORMAT = 1;

/** Platforms in the order of the reference page. A new one is a row here and a file in profiles/. */
export const PLATFORMS = ["metal"] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Processor architectures by their Debian and Go name. */
export const ARCHES = ["amd64"] as const;
export type Arch = (typeof ARCHES)[number];

/** Architectures that profiles may name one day; naming one now is refused with a text that says so. */
export const PLANNED_ARCHES: readonly string[] = ["arm64"];

/** What one build can write, in the order in which it is written. */
export const OUTPUT_KINDS = ["raw", "iso", "uki", "installer", "kernel", "initramfs", "cmdline", "root"] as const;
export type OutputKind = (typeof OUTPUT_KINDS)[number];

/** Bytes per logical sector of the target disk. */
export const SECTOR_SIZES = [512, 4096] as const;
export type SectorSize = (typeof SECTOR_SIZES)[number];

/** Bound of an embedded machine configuration, in bytes; the code that reads the file enforces it. */
export const MACHINE_CONFIG_MAX_BYTES: number = 1024 * 1024;

/** The machine configuration that the image carries. The factory does not look inside it. */
export type MachineConfig =
  | { readonly kind: "none" }
  /** `path` is relative to the folder of the profile, never leaves it, and has no leading "./". */
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "inline"; readonly text: string };

export interface KernelArguments {
  /** Appended in this order, after the factory's own and the consoles. Each is one argument as the kernel splits them. */
  readonly add: readonly string[];
  /** `key` takes away every argument of that key, `key=value` that one. Applies before `add`. */
  readonly remove: readonly string[];
}

export interface DiskProfile {
  /** Size of the EFI system partition; a multiple of 1 MiB. */
  readonly espSizeBytes: number;
  readonly sectorSize: SectorSize;
}

export interface Profile {
  readonly format: typeof PROFILE_FORMAT;
  readonly name: string;
  readonly platform: Platform;
  readonly arch: Arch;
  /** Not empty, without duplicates, in the order of OUTPUT_KINDS, so that equal sets give equal plans. */
  readonly outputs: readonly OutputKind[];
  readonly kernelArguments: KernelArguments;
  /** Kernel console names with options; the last one becomes /dev/console. */
  readonly console: readonly string[];
  readonly disk: DiskProfile;
  readonly machineConfig: MachineConfig;
}
