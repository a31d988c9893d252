// SPDX-License-Identifier: Apache-2.0
// Mangles names to what ISO 9660 itself can hold; readers that know Rock Ridge never show them.
// Spec: ECMA-119 7.5 and 7.6, interchange level 2: A-Z 0-9 _, up to 30 characters and one dot, version 1.
import { bug } from "../errors.ts";

const MAX_FILE_CHARACTERS = 30; // name and extension together, without dot and version
const MAX_DIRECTORY_CHARACTERS = 31;
const MAX_EXTENSION_CHARACTERS = 8;
const MAX_SUFFIX = 99_999;

/** An ISO 9660 name in its parts; a directory has no extension. */
export interface IsoName {
  readonly stem: string;
  readonly extension: string;
  /** As written in a directory record: `STEM.EXT;1`, or `STEM` for a directory. */
  readonly identifier: string;
}

export interface NamedKind {
  readonly kind: "file" | "directory";
  readonly name: string;
}

/**
 * A name for each of one directory's entries, unique in it. A name that is taken loses its end to a number; numbers
 * are given in the order of `entries`.
 */
export function mangleIsoNames(entries: readonly NamedKind[]): ReadonlyMap<string, IsoName> {
  const taken = new Set<string>();
  const nextSuffix = new Map<string, number>();
  return new Map(
    entries.map((entry) => {
      const [stem, extension] = mangle(entry);
      return [entry.name, isoName(entry.kind, claim(stem, extension, { taken, nextSuffix }), extension)];
    }),
  );
}

/** Order of directory records (ECMA-119 9.3): by name, then extension, the shorter one filled with spaces. */
export function compareIsoNames(a: IsoName, b: IsoName): number {
  return compareText(a.stem, b.stem) || compareText(a.extension, b.extension);
}

function isoName(kind: NamedKind["kind"], stem: string, extension: string): IsoName {
  return { stem, extension, identifier: kind === "directory" ? stem : `${stem}.${extension};1` };
}

function mangle({ kind, name }: NamedKind): readonly [stem: string, extension: string] {
  const dot = kind === "directory" ? -1 : name.lastIndexOf(".");
  const extension = dot > 0 ? isoCharacters(name.slice(dot + 1)).slice(0, MAX_EXTENSION_CHARACTERS) : "";
  const stem = isoCharacters(dot > 0 ? name.slice(0, dot) : name);
  const room = kind === "directory" ? MAX_DIRECTORY_CHARACTERS : MAX_FILE_CHARACTERS - extension.length;
  return [stem.slice(0, room), extension];
}

function isoCharacters(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/gu, "_").toUpperCase();
}

/** The stem, or the stem with its last characters replaced by the first number that is free. */
function claim(
  stem: string,
  extension: string,
  names: { taken: Set<string>; nextSuffix: Map<string, number> },
): string {
  const wanted = `${stem}.${extension}`;
  let claimed = stem;
  let suffix = names.nextSuffix.get(wanted) ?? 0;
  while (names.taken.has(`${claimed}.${extension}`)) {
    if (suffix > MAX_SUFFIX) throw bug(`more than ${MAX_SUFFIX} ISO names like ${wanted}`);
    const digits = String(suffix++).padStart(3, "0");
    const most = MAX_FILE_CHARACTERS - extension.length - digits.length;
    claimed = stem.slice(0, most) + digits;
  }
  names.nextSuffix.set(wanted, suffix);
  names.taken.add(`${claimed}.${extension}`);
  return claimed;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
