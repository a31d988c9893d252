// SPDX-License-Identifier: Apache-2.0
// Removes a tree whose directories may be read-only, as Go's module cache and squashfs staging leave them.
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes `dir` and everything below it; symlinks are removed and not followed. Nothing happens when it is absent. */
export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    await makeWritable(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

async function makeWritable(dir: string): Promise<void> {
  await chmod(dir, 0o700);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(dir, entry.name));
  }
}
