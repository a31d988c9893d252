// SPDX-License-Identifier: Apache-2.0
// Files under construction: `<final>.<unique>.partial` in the final directory, so that the last step is a rename and
// nobody ever opens half an image. What is still partial when the process exits is removed then.
import { randomBytes } from "node:crypto";
import { constants, unlinkSync } from "node:fs";
import { copyFile, open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { describeWriteError } from "./write-error.ts";

export interface PartialFile {
  readonly path: string;
  /** Open for reading, and for writing unless it is a clone; whoever claims it closes it. */
  readonly handle: FileHandle;
  /** Takes the final name, replacing a file that had it. */
  complete(): Promise<void>;
  /** Removes it. Never throws: it is called while another error is on its way. */
  discard(): Promise<void>;
}

const live = new Set<string>();

/** Creates an empty file with mode 0644 whatever the umask; O_EXCL, so that a planted link is not followed. */
export async function claimPartial(final: string): Promise<PartialFile> {
  const path = partialPath(final);
  return track(path, final, await open(path, "wx+", 0o644));
}

/**
 * The same, holding the bytes of `origin` by sharing its blocks; undefined where the filesystem cannot do that. It is the
 * clone that creates the file, since a failed copyFile(3) removes its target, even one that was there before.
 */
export async function claimClone(final: string, origin: string): Promise<PartialFile | undefined> {
  const path = partialPath(final);
  try {
    await copyFile(origin, path, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch {
    return undefined; // whatever is wrong with the file shows when its bytes are read
  }
  return track(path, final, await open(path, "r"));
}

/**
 * Writes a small file whole or not at all; `durable` waits until it is on the medium. Throws OUTPUT_UNWRITABLE,
 * DISK_FULL.
 */
export async function replaceFile(path: string, content: string | Uint8Array, durable = true): Promise<void> {
  try {
    const partial = await claimPartial(path);
    try {
      await partial.handle.writeFile(content);
      if (durable) await partial.handle.sync();
      await partial.complete();
    } catch (error) {
      await partial.discard();
      throw error;
    } finally {
      await partial.handle.close();
    }
  } catch (error) {
    throw describeWriteError(error, path);
  }
}

function partialPath(final: string): string {
  return `${final}.${randomBytes(6).toString("hex")}.partial`;
}

/** Modes are set, not asked for: the umask would change them, and a clone takes the mode of its origin along. */
async function track(path: string, final: string, handle: FileHandle): Promise<PartialFile> {
  if (live.size === 0) process.once("exit", removeLive);
  live.add(path);
  await handle.chmod(0o644);
  return {
    path,
    handle,
    complete: async () => {
      await rename(path, final);
      forget(path);
    },
    discard: async () => {
      await rm(path, { force: true }).catch(() => undefined);
      forget(path);
    },
  };
}

function forget(path: string): void {
  live.delete(path);
  if (live.size === 0) process.off("exit", removeLive);
}

function removeLive(): void {
  for (const path of live) {
    try {
      unlinkSync(path);
    } catch {
      // the process ends; there is nobody left to tell
    }
  }
}
