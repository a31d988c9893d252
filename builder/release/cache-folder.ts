// SPDX-License-Identifier: Apache-2.0
// Folders of the store's cache that are made once, whole or not at all, and never written to again: what is too many
// files to be an action's output.
import { mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../host/remove-tree.ts";
import { temporaryPath } from "../host/store.ts";
import type { ActionContext } from "./action.ts";

export interface CacheFolder {
  /** In the cache; from the digest of what decides the content. */
  readonly name: string;
  /** What the user sees. */
  readonly shown: string;
  /** Fills a new directory, and returns the path below it that becomes the folder. */
  readonly make: (dir: string) => Promise<string>;
}

/** Absolute path of the folder, made if it is missing. Throws what `make` throws. */
export async function cacheFolder(context: ActionContext, { name, shown, make }: CacheFolder): Promise<string> {
  const { store } = context;
  const final = join(store.dir, "cache", name);
  const present = await stat(final).then(Boolean, () => false);
  const end = context.onAction(shown, present);
  if (present) return (end(), final);
  const partial = await temporaryPath(store);
  try {
    await mkdir(partial);
    await rename(await make(partial), final).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // another process was first
    });
    end();
    return final;
  } catch (error) {
    end(error);
    throw error;
  } finally {
    await removeTree(partial);
  }
}
