// SPDX-License-Identifier: Apache-2.0
// What can be known about a target file before the first byte is written: whether the name is free for a file, and
// whether the filesystem has the space.
import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { FactoryError } from "../errors.ts";

/**
 * `needed` in bytes, holes not counted. Throws OUTPUT_UNWRITABLE for a directory, device, pipe or socket at `path`, and
 * DISK_FULL for too little space.
 */
export async function checkImageTarget(path: string, needed: number): Promise<void> {
  const target = await stat(path).catch(() => undefined); // nothing there, or no access: creating the file will tell
  if (target !== undefined && !target.isFile()) {
    throw new FactoryError({
      code: "OUTPUT_UNWRITABLE",
      file: path,
      found: target.isDirectory() ? "a directory" : "a device, pipe or socket",
      expected: "a regular file, or none yet",
      fix: "name a file; to fill a device, write a file first and copy it",
    });
  }
  await checkFreeSpace(path, dirname(path), needed);
}

/** `needed` bytes in the filesystem of `dir`, for what `path` names. Throws DISK_FULL. */
export async function checkFreeSpace(path: string, dir: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize >= needed) return;
  throw new FactoryError({
    code: "DISK_FULL",
    file: path,
    field: "free bytes",
    found: bavail * bsize,
    expected: `${needed} or more`,
    fix: "free some space, or choose another directory",
  });
}
