// SPDX-License-Identifier: Apache-2.0
// Parts that layouts read or patch rather than only point at; a few hundred kilobytes together.

export const SMALL_PARTS = ["uki-stub", "os-release", "grub-boot", "grub-core", "grub-cd", "grub-hybrid"] as const;

export type SmallParts = Readonly<Record<(typeof SMALL_PARTS)[number], Uint8Array>>;
