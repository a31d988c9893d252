// SPDX-License-Identifier: Apache-2.0
// A folder that a compile keeps between runs to be quicker, lent to one process at a time: two compiles in one folder
// would ruin each other. Who finds it lent starts with an empty one. A process that is killed before it gives the folder
// back leaves it in tmp/, where `store gc` removes it.
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../host/remove-tree.ts";
import type { Store } from "../host/store.ts";
import { temporaryPath } from "../host/store.ts";

/** Runs `work` with the folder `cache/<name>`, or an empty one, and puts it back whatever happens. */
export async function withBuildFolder<T>(store: Store, name: string, work: (dir: string) => Promise<T>): Promise<T> {
  const kept = join(store.dir, "cache", name);
  const own = await temporaryPath(store);
  await rename(kept, own).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    await mkdir(own);
  });
  try {
    return await work(own);
  } finally {
    await rename(own, kept).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      return removeTree(own);
    });
  }
}
