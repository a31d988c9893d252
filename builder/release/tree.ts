// SPDX-License-Identifier: Apache-2.0
// A tree of files by digest: what a compile step reads and what it leaves behind. Staging writes it below a directory
// with exact modes, whatever the umask; collecting reads the named outputs back into the store.
import { chmod, copyFile, constants, lstat, mkdir, realpath, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { BlobRef } from "../layout/digest.ts";
import type { Store } from "../host/store.ts";
import { blobPath, checkBlob, putFile } from "../host/store.ts";

export type TreeNode =
  | { readonly kind: "file"; readonly blob: BlobRef; readonly mode: 0o644 | 0o755 }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "directory"; readonly mode: number };

/** Relative paths without "." and ".." to nodes. */
export type Tree = Readonly<Record<string, TreeNode>>;

/** Paths in byte order, so that parents come before children. */
export function treePaths(tree: Tree): readonly string[] {
  return Object.keys(tree).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Every path moved below `prefix`. */
export function underPrefix(prefix: string, tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).map(([path, node]) => [`${prefix}/${path}`, node]));
}

/** Writes the tree below `dir`. Parents that the tree does not name get mode 0755. */
export async function stageTree(store: Store, tree: Tree, dir: string): Promise<void> {
  for (const path of treePaths(tree)) {
    const node = tree[path];
    if (node === undefined) continue;
    const target = join(dir, path);
    await makeParents(dir, path);
    switch (node.kind) {
      case "directory":
        await mkdir(target, { recursive: true });
        await chmod(target, node.mode);
        break;
      case "symlink":
        await symlink(node.target, target);
        break;
      case "file":
        await checkBlob(store, node.blob.digest, node.blob.size);
        await copyFile(blobPath(store, node.blob.digest), target, constants.COPYFILE_FICLONE);
        await chmod(target, node.mode);
        break;
      default:
        node satisfies never;
    }
  }
}

async function makeParents(dir: string, path: string): Promise<void> {
  const parts = dirname(path).split("/");
  for (let i = 1; i <= parts.length; i++) {
    const parent = join(dir, ...parts.slice(0, i));
    const made = await mkdir(parent).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
        return false;
      },
    );
    if (made) await chmod(parent, 0o755);
  }
}

/**
 * Stores the named output files of a step. Throws ACTION_FAILED when one was not made, or is a link: a link would be
 * followed here, on the host, and could name a file that the step itself cannot see.
 */
export async function collectOutputs(store: Store, dir: string, paths: readonly string[], step: string): Promise<Tree> {
  const tree: Record<string, TreeNode> = {};
  for (const path of paths) {
    const file = join(dir, path);
    const found = await lstat(file).catch(() => undefined);
    const isInside = (await realpath(dirname(file)).catch(() => "")) === join(await realpath(dir), dirname(path));
    if (found?.isFile() !== true || !isInside) {
      throw new FactoryError({
        code: "ACTION_FAILED",
        field: step,
        found: found === undefined ? "no such file" : "something else than a plain file",
        expected: `output ${path}`,
        fix: "correct the step",
      });
    }
    tree[path] = { kind: "file", blob: await putFile(store, file), mode: (found.mode & 0o111) === 0 ? 0o644 : 0o755 };
  }
  return tree;
}

/** The blob at `path`. Throws BUG when the tree has no such file. */
export function fileOf(tree: Tree, path: string): BlobRef {
  const node = tree[path];
  if (node?.kind === "file") return node.blob;
  throw new FactoryError({
    code: "BUG",
    field: path,
    expected: "a file in the step's outputs",
    fix: "report this defect",
  });
}
