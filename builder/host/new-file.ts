// SPDX-License-Identifier: Apache-2.0
// Writes a file that must not be there yet, readable by nobody but its owner if it is secret.
import { open, rm } from "node:fs/promises";
import { describeWriteError } from "./write-error.ts";

/** `mode` whatever the umask. Throws OUTPUT_UNWRITABLE, also when there is such a file; DISK_FULL. */
export async function createFile(path: string, content: string, mode: number): Promise<void> {
  const handle = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw describeWriteError(error, path);
  });
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw describeWriteError(error, path);
  } finally {
    await handle.close();
  }
}
