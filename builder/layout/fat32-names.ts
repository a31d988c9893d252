// SPDX-License-Identifier: Apache-2.0
// Names of FAT directory entries: which are allowed, and the 8.3 short name each one gets.
// Spec: Microsoft FAT specification (fatgen103), "FAT Long Directory Entries", basis-name and numeric-tail generation.
// Left out: the NT lower-case flags (any name that is not upper-case 8.3 gets a long name) and code pages (a short name
// is ASCII only).
import { asciiBytes } from "./bytes.ts";
import { bug } from "../errors.ts";

export const SHORT_NAME_BYTES = 11; // 8 + 3, without the dot
export const MAX_LONG_NAME_UNITS = 255; // UTF-16 code units
const SHORT_CHARACTERS = "[A-Z0-9!#$%&'()@^_`{}~-]";
const EXACT_SHORT = new RegExp(`^(${SHORT_CHARACTERS}{1,8})(?:\\.(${SHORT_CHARACTERS}{1,3}))?$`);
const NOT_SHORT = new RegExp(`(?!${SHORT_CHARACTERS}).`, "gu");
const MAX_NUMERIC_TAIL = 999_999;

/** `bytes`: 11 characters, space padded. `exact`: the name is its own short name and needs no long one. */
export interface ShortName {
  readonly bytes: Uint8Array;
  readonly exact: boolean;
}

/** Why a FAT directory cannot hold `name`, as what was expected instead; undefined when it can. */
export function fatNameProblem(name: string): string | undefined {
  if (name === "") return "a name";
  if (!name.isWellFormed()) return "well-formed Unicode";
  if (name.length > MAX_LONG_NAME_UNITS) return `a name of at most ${MAX_LONG_NAME_UNITS} UTF-16 units`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f"*/:<>?\\|]/.test(name)) return 'a name without control characters and " * / : < > ? \\ |';
  if (/[. ]$/.test(name)) return "a name that ends neither in a dot nor in a space";
  return undefined;
}

/** Names with equal keys are one name to FAT, which ignores case. Coarser than Windows where Unicode folds lengths. */
export function fatNameKey(name: string): string {
  return name.toUpperCase();
}

/**
 * The short name of each of one directory's names. Names that fit 8.3 keep it in upper case; the others get
 * `BASIS~n`, n counted in the order given, never equal to another short or long name of the directory.
 */
export function assignShortNames(names: readonly string[]): ReadonlyMap<string, ShortName> {
  const taken = new Set<string>();
  const assigned = new Map<string, ShortName>();
  for (const name of names) {
    const fields = exactFields(name);
    if (fields === undefined) continue;
    taken.add(fields);
    assigned.set(name, { bytes: asciiBytes(fields), exact: name === fatNameKey(name) });
  }
  const nextTail = new Map<string, number>();
  for (const name of names) {
    if (!assigned.has(name))
      assigned.set(name, { bytes: asciiBytes(tailedFields(name, taken, nextTail)), exact: false });
  }
  return assigned;
}

/** The 11 characters of a name that differs from 8.3 at most in case; undefined for any other. */
function exactFields(name: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(name)) return undefined;
  const match = EXACT_SHORT.exec(fatNameKey(name));
  return match === null ? undefined : join(match[1] ?? "", match[2] ?? "");
}

function tailedFields(name: string, taken: Set<string>, nextTail: Map<string, number>): string {
  const [base, extension] = basis(name);
  const group = join(base.slice(0, 6), extension);
  for (let n = nextTail.get(group) ?? 1; n <= MAX_NUMERIC_TAIL; n++) {
    const tail = `~${n}`;
    const fields = join(base.slice(0, 8 - tail.length) + tail, extension);
    if (taken.has(fields)) continue;
    taken.add(fields);
    nextTail.set(group, n + 1);
    return fields;
  }
  throw bug(`a FAT directory with more than ${MAX_NUMERIC_TAIL} names`);
}

/** Base and extension in short-name characters: dots and spaces dropped, others replaced by an underscore. */
function basis(name: string): readonly [base: string, extension: string] {
  const text = name.toUpperCase().replace(/^[. ]+/, "");
  const dot = text.lastIndexOf(".");
  const base = dot > 0 ? text.slice(0, dot) : text;
  const extension = dot > 0 ? text.slice(dot + 1) : "";
  return [shortCharacters(base) || "_", shortCharacters(extension).slice(0, 3)];
}

function shortCharacters(text: string): string {
  return text.replaceAll(/[. ]/g, "").replaceAll(NOT_SHORT, "_");
}

function join(base: string, extension: string): string {
  return base.padEnd(8) + extension.padEnd(3);
}
