// SPDX-License-Identifier: Apache-2.0
// Rules for the paths of entries in archives and filesystem trees: relative, `/`-separated, and nothing that could
// step outside the tree when someone unpacks it.
import { FactoryError } from "../errors.ts";

/**
 * Refuses a path that is empty, absolute, ends in `/`, holds an empty, `.` or `..` component, a control character, or
 * half of a surrogate pair (which would become another name in UTF-8). Throws LAYOUT_INVALID, naming `format`.
 */
export function checkPath(format: string, path: string): void {
  const hostile = path.split("/").some((part) => part === "" || part === "." || part === "..");
  if (!hostile && path.isWellFormed() && !hasControlCharacter(path)) return;
  throw new FactoryError({
    code: "LAYOUT_INVALID",
    field: `${format} path`,
    found: path,
    expected: 'a relative path of plain components, without "." and ".." and control characters',
    fix: "rename the entry",
  });
}

/** The directory that holds `path`; undefined for an entry of the root. */
export function parentOf(path: string): string | undefined {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? undefined : path.slice(0, slash);
}

/** Order by UTF-8 bytes, which is code point order; the default string order is by UTF-16 units and differs. */
export function comparePathBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

function hasControlCharacter(text: string): boolean {
  for (const character of text) if (character < " " || character === "\u007f") return true;
  return false;
}
