// SPDX-License-Identifier: Apache-2.0
// Field kinds of ISO 9660: numbers in both byte orders, padded text, and the two date formats.
// Spec: ECMA-119 7.2.3 and 7.3.3 (both-byte orders), 7.4 (characters), 8.4.26.1 and 9.1.5 (dates).
import { FactoryError } from "../errors.ts";
import { asciiBytes } from "./bytes.ts";
import { civilTime } from "./civil-time.ts";
import type { NumberField } from "./bytes.ts";
import type { CivilTime, YearRange } from "./civil-time.ts";

export const BLOCK_BYTES = 2048; // sector and logical block alike
const YEARS: YearRange = { format: "ISO 9660", first: 1900, last: 2155 }; // one byte from 1900

/** A 32-bit number, little-endian and then big-endian: 8 bytes. */
export function both32(name: string, offset: number, value: number): readonly NumberField[] {
  return [
    [name, offset, "u32le", value],
    [name, offset + 4, "u32be", value],
  ];
}

/** A 16-bit number, little-endian and then big-endian: 4 bytes. */
export function both16(name: string, offset: number, value: number): readonly NumberField[] {
  return [
    [name, offset, "u16le", value],
    [name, offset + 2, "u16be", value],
  ];
}

/** `text` filled with spaces to `length` bytes. Throws LAYOUT_INVALID when it is longer or has other characters. */
export function paddedText(name: string, text: string, length: number, set: "a" | "d"): Uint8Array {
  const allowed = set === "d" ? /^[A-Z0-9_]*$/ : /^[A-Z0-9_ !"%&'()*+,\-./:;<=>?]*$/;
  if (text.length <= length && allowed.test(text)) return asciiBytes(text.padEnd(length));
  const characters = set === "d" ? "A-Z 0-9 _" : "A-Z 0-9 _ space ! \" % & ' ( ) * + , - . / : ; < = > ?";
  throw new FactoryError({
    code: "LAYOUT_INVALID",
    field: `ISO 9660 ${name}`,
    found: text,
    expected: `at most ${length} of ${characters}`,
    fix: "shorten or rename it",
  });
}

/** Date and time of a volume descriptor: 17 bytes, UTC. */
export function volumeDate(epochSeconds: number): Uint8Array {
  const t = isoTime(epochSeconds);
  const digits = [t.year, t.month, t.day, t.hour, t.minute, t.second].map((n, i) =>
    String(n).padStart(i === 0 ? 4 : 2, "0"),
  );
  return Uint8Array.of(...asciiBytes(`${digits.join("")}00`), 0); // hundredths of a second; quarter hours from UTC
}

/** The date that says "not specified": 17 bytes. */
export function noVolumeDate(): Uint8Array {
  return Uint8Array.of(...asciiBytes("0".repeat(16)), 0);
}

/** Date and time of a directory record: 7 bytes, UTC. */
export function recordDate(epochSeconds: number): Uint8Array {
  const t = isoTime(epochSeconds);
  return Uint8Array.of(t.year - YEARS.first, t.month, t.day, t.hour, t.minute, t.second, 0);
}

function isoTime(epochSeconds: number): CivilTime {
  return civilTime(epochSeconds, YEARS);
}
