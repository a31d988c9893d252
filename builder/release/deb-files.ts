// SPDX-License-Identifier: Apache-2.0
// Takes single files out of a locked package.
import { FactoryError } from "../errors.ts";
import type { Store } from "../host/store.ts";
import { blobPath } from "../host/store.ts";
import { debEntries } from "./deb.ts";
import type { LockedPackage } from "./lock.ts";

const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** The files whose paths `wanted` accepts, by path. Throws FORMAT_INVALID when none is there. */
export async function readDebFiles(
  store: Store,
  entry: LockedPackage,
  wanted: (path: string) => boolean,
): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { path, type, size, content } of debEntries(blobPath(store, entry.sha256))) {
    if (type !== "file" || !wanted(path)) continue;
    if (size > MAX_FILE_BYTES) throw refused(entry, path, `at most ${MAX_FILE_BYTES} bytes`);
    const parts: Uint8Array[] = [];
    for await (const chunk of content) parts.push(chunk);
    files.set(path, Buffer.concat(parts));
  }
  if (files.size === 0) throw refused(entry, "nothing", "the files that the release takes from it");
  return files;
}

function refused(entry: LockedPackage, found: string, expected: string): FactoryError {
  const file = `${entry.name} ${entry.version}`;
  return new FactoryError({
    code: "FORMAT_INVALID",
    file,
    found,
    expected,
    fix: "refresh the lock, then correct the release's paths",
  });
}
