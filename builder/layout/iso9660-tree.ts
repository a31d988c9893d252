// SPDX-License-Identifier: Apache-2.0
// Turns file paths into the directories of an ISO 9660 volume, in path-table order: by level, then by the parent's
// place, then by name. Directories are implied by the paths. Spec: ECMA-119 6.8.2 and 6.9.1.
import { FactoryError } from "../errors.ts";
import { checkPath, comparePathBytes } from "./entry-path.ts";
import { compareIsoNames, mangleIsoNames } from "./iso9660-names.ts";
import type { IsoName } from "./iso9660-names.ts";

export const MAX_NAME_BYTES = 255; // of Linux; Rock Ridge itself sets no limit
const MAX_LEVELS = 8; // ECMA-119 6.8.2.1, the root included

/** `name` is the Rock Ridge name; `path` is from the root, with slashes, without a leading one. */
export interface IsoNode {
  readonly kind: "file" | "directory";
  readonly name: string;
  readonly path: string;
  readonly iso: IsoName;
}

/** `path` of the root is "". `parent` is an index into the list of directories; the root's is 0. */
export interface IsoDirectory {
  readonly path: string;
  readonly parent: number;
  /** As in the parent; the root's is one NUL. */
  readonly identifier: string;
  /** In the order of directory records. */
  readonly nodes: readonly IsoNode[];
}

type Children = Map<string, "file" | "directory">;

/** The directories of a volume with these files. Throws LAYOUT_INVALID on bad, repeated, or too deep paths. */
export function buildIsoTree(paths: readonly string[]): readonly IsoDirectory[] {
  const children = new Map<string, Children>([["", new Map()]]);
  for (const path of paths) addPath(children, path);
  const directories: IsoDirectory[] = [{ path: "", parent: 0, identifier: "\0", nodes: nodesOf(children, "") }];
  for (let parent = 0; parent < directories.length; parent++) {
    for (const { kind, path, iso } of directories[parent]?.nodes ?? []) {
      if (kind === "directory")
        directories.push({ path, parent, identifier: iso.identifier, nodes: nodesOf(children, path) });
    }
  }
  return directories;
}

function addPath(children: Map<string, Children>, path: string): void {
  checkPath("ISO 9660", path);
  const names = path.split("/");
  if (names.length > MAX_LEVELS)
    throw refuse(path, `a file within ${MAX_LEVELS} levels of directories, the root included`);
  for (const [i, name] of names.entries()) {
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw refuse(path, `names of at most ${MAX_NAME_BYTES} bytes`);
    const kind = i === names.length - 1 ? "file" : "directory";
    const siblings = children.get(names.slice(0, i).join("/"));
    const other = siblings?.get(name);
    if (other !== undefined && (kind === "file" || other === "file")) throw refuse(path, "a path that comes once");
    siblings?.set(name, kind);
    const own = names.slice(0, i + 1).join("/");
    if (kind === "directory" && !children.has(own)) children.set(own, new Map());
  }
}

function nodesOf(children: Map<string, Children>, path: string): readonly IsoNode[] {
  const named = [...(children.get(path) ?? [])].map(([name, kind]) => ({ kind, name }));
  const sorted = named.sort((a, b) => comparePathBytes(a.name, b.name));
  const names = mangleIsoNames(sorted);
  return sorted
    .flatMap(({ kind, name }) => {
      const iso = names.get(name);
      return iso === undefined ? [] : [{ kind, name, path: path === "" ? name : `${path}/${name}`, iso }];
    })
    .sort((a, b) => compareIsoNames(a.iso, b.iso));
}

function refuse(path: string, expected: string): FactoryError {
  return new FactoryError({ code: "LAYOUT_INVALID", field: "ISO 9660 path", found: path, expected, fix: "rename it" });
}
