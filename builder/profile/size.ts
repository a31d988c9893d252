// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them: a whole number of bytes, or of KiB, MiB or GiB. Never a fraction, never a power of ten:
// "512MB" means two things to two readers, so it is refused and not guessed.
import type { Complaint } from "./field.ts";

export const KIB: number = 1024;
export const MIB: number = 1024 * KIB;
export const GIB: number = 1024 * MIB;

const UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["GiB", GIB],
  ["MiB", MIB],
  ["KiB", KIB],
];
const DECIMAL_UNITS: Readonly<Record<string, string>> = { k: "KiB", m: "MiB", g: "GiB" };

/** JSON Schema pattern of a size that is a string. Bounds are the field's own affair. */
export const SIZE_PATTERN = "^[1-9][0-9]{0,15}(KiB|MiB|GiB)?$";

/** Bytes of a written size, or undefined when it is none. Results above 2^53 are undefined too, never rounded. */
export function parseSize(written: string | number): number | undefined {
  if (typeof written === "number") return Number.isSafeInteger(written) && written > 0 ? written : undefined;
  const match = /^([1-9][0-9]{0,15})(KiB|MiB|GiB)?$/.exec(written);
  if (match === null) return undefined;
  const factor = UNITS.find(([unit]) => unit === match[2])?.[1] ?? 1;
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact spelling: "512MiB", "1GiB", "513". parseSize reads it back to the same number. */
export function formatSize(bytes: number): string {
  const unit = UNITS.find(([, size]) => bytes >= size && bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
}

export interface SizeBounds {
  readonly min: number;
  readonly max: number;
  readonly multipleOf: number;
}

/** What is wrong with a written size, or undefined when it is within `bounds`. */
export function complainAboutSize(written: unknown, bounds: SizeBounds): Complaint | undefined {
  if (typeof written !== "string" && typeof written !== "number") return undefined;
  const bytes = parseSize(written);
  if (bytes === undefined) return complainAboutSpelling(written);
  if (bytes < bounds.min) return { fix: `write at least ${formatSize(bounds.min)}` };
  if (bytes > bounds.max) return { fix: `write at most ${formatSize(bounds.max)}` };
  if (bytes % bounds.multipleOf === 0) return undefined;
  const below = Math.floor(bytes / bounds.multipleOf) * bounds.multipleOf;
  const near = [below, below + bounds.multipleOf].filter((size) => size >= bounds.min && size <= bounds.max);
  return { fix: `write ${near.map(formatSize).join(" or ")}, a multiple of ${formatSize(bounds.multipleOf)}` };
}

/** Units of ten, fractions and odd spacing each have a remedy of their own. */
function complainAboutSpelling(written: string | number): Complaint | undefined {
  const match = /^ *([0-9]{1,16})(\.[0-9]+)? *([kmg])(i?b)? *$/i.exec(String(written));
  if (match === null) return undefined;
  const unit = DECIMAL_UNITS[match[3]?.toLowerCase() ?? ""] ?? "MiB";
  if (match[2] !== undefined) return { fix: `write a whole number, in a smaller unit than ${unit} if need be` };
  return { fix: `write "${Number(match[1])}${unit}" if powers of 1024 are meant; units of 1000 are not read` };
}
