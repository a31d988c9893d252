// SPDX-License-Identifier: Apache-2.0
// Turns file paths into the directories that a FAT volume needs. Directories are implied by the paths; parents come
// first and entries are sorted by the bytes of their names, so equal sets of paths give equal directories.
import { FactoryError } from "../errors.ts";
import { comparePathBytes } from "./entry-path.ts";
import { assignShortNames, fatNameKey, fatNameProblem } from "./fat32-names.ts";
import { ENTRY_BYTES, entryCount } from "./fat32-entries.ts";
import type { ShortName } from "./fat32-names.ts";

export const MAX_PATH_DEPTH = 64;
export const MAX_DIRECTORY_BYTES = 2_097_152; // 65536 entries: Microsoft's limit, which drivers enforce

/** One name in a directory. `path` is from the root, with slashes, without a leading one. */
export interface FatNode {
  readonly kind: "directory" | "file";
  readonly name: string;
  readonly path: string;
  readonly short: ShortName;
}

/** `path` of the root is "". `bytes` counts every entry, the label or `.` and `..` included. */
export interface FatDirectory {
  readonly path: string;
  readonly nodes: readonly FatNode[];
  readonly bytes: number;
}

type Named = Omit<FatNode, "short">;

/**
 * The directories of a volume with these files, parents first. Throws LAYOUT_INVALID on names that FAT cannot hold,
 * on paths that leave the root, and on names that differ only in case.
 */
export function buildFatTree(paths: readonly string[]): readonly FatDirectory[] {
  const directories = new Map<string, Map<string, Named>>([["", new Map()]]);
  for (const path of paths) addPath(directories, path);
  return [...directories]
    .sort(([a], [b]) => comparePathBytes(a, b))
    .map(([path, named]) => finishDirectory(path, [...named.values()]));
}

/** Path of the directory that holds `path`. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function addPath(directories: Map<string, Map<string, Named>>, path: string): void {
  const names = path.split("/");
  if (names.length > MAX_PATH_DEPTH) throw refuse(path, `a path of at most ${MAX_PATH_DEPTH} names`);
  for (const [i, name] of names.entries()) {
    const problem = fatNameProblem(name);
    if (problem !== undefined) throw refuse(path, `${problem}, in every part of the path`);
    const kind = i === names.length - 1 ? "file" : "directory";
    addName(directories, { kind, name, path: names.slice(0, i + 1).join("/") });
  }
}

function addName(directories: Map<string, Map<string, Named>>, named: Named): void {
  const siblings = directories.get(parentPath(named.path));
  const other = siblings?.get(fatNameKey(named.name));
  if (other === undefined) siblings?.set(fatNameKey(named.name), named);
  else if (named.kind === "file" || other.kind === "file" || other.name !== named.name) {
    throw refuse(named.path, `a path that differs from "${other.path}" in more than case`);
  }
  if (named.kind === "directory" && !directories.has(named.path)) directories.set(named.path, new Map());
}

function finishDirectory(path: string, named: readonly Named[]): FatDirectory {
  const sorted = named.toSorted((a, b) => comparePathBytes(a.name, b.name));
  const shorts = assignShortNames(sorted.map((n) => n.name));
  const nodes = sorted.flatMap((n) => {
    const short = shorts.get(n.name);
    return short === undefined ? [] : [{ ...n, short }];
  });
  const fixedEntries = path === "" ? 1 : 2; // the volume label, or `.` and `..`
  const bytes = ENTRY_BYTES * nodes.reduce((sum, n) => sum + entryCount(n.name, n.short), fixedEntries);
  if (bytes > MAX_DIRECTORY_BYTES) throw refuse(path, `a directory of at most ${MAX_DIRECTORY_BYTES} bytes of entries`);
  return { path, nodes, bytes };
}

function refuse(path: string, expected: string): FactoryError {
  return new FactoryError({ code: "LAYOUT_INVALID", field: "FAT path", found: path, expected, fix: "rename it" });
}
