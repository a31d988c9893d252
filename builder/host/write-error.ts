// SPDX-License-Identifier: Apache-2.0
// Turns what the operating system says about a failed write into an error with a remedy.
import { FactoryError, FactoryErrors } from "../errors.ts";

const UNWRITABLE: Readonly<Record<string, string>> = {
  EACCES: "choose a directory that this user may write to",
  EPERM: "choose a directory that this user may write to",
  EROFS: "choose a directory on a writable file system",
  ENOENT: "create the directory first",
  ENOTDIR: "choose a path whose parents are directories",
  EISDIR: "choose another file name, or remove the directory",
  EEXIST: "choose another name, or remove what is there",
  ENAMETOOLONG: "choose a shorter path",
};

/** DISK_FULL or OUTPUT_UNWRITABLE for a system error about `path`; anything else is returned unchanged. */
export function describeWriteError(error: unknown, path: string): unknown {
  if (error instanceof FactoryError || error instanceof FactoryErrors) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new FactoryError({
      code: "DISK_FULL",
      file: path,
      found: code,
      expected: "enough free space",
      fix: "free some space (`dodeka store gc` removes what no release uses), or choose another directory",
      cause: error,
    });
  }
  const fix = UNWRITABLE[code];
  if (fix === undefined) return error;
  return new FactoryError({
    code: "OUTPUT_UNWRITABLE",
    file: path,
    found: code,
    expected: "a writable path",
    fix,
    cause: error,
  });
}
