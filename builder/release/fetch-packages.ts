// SPDX-License-Identifier: Apache-2.0
// Brings locked packages into the store, a few at a time. What is already there is not fetched again.
import type { Mirrors } from "./apt-config.ts";
import type { Patience } from "../host/patience.ts";
import { fetchBlob } from "../host/fetch.ts";
import { sideBySide } from "../host/side-by-side.ts";
import type { Store } from "../host/store.ts";
import { hasBlob } from "../host/store.ts";
import type { LockedPackage } from "./lock.ts";

const PARALLEL = 4;

export interface FetchProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface FetchWatch {
  readonly onProgress?: (p: FetchProgress) => void;
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
}

/**
 * Fetches what is missing; `mirrors` is asked for only then, so that a complete store works offline.
 * Returns the number of packages fetched. The first failure ends all. Throws SOURCE_GONE, LOCK_MISMATCH, NETWORK.
 */
export async function fetchPackages(
  store: Store,
  packages: readonly LockedPackage[],
  mirrors: () => Promise<Mirrors>,
  watch: FetchWatch = {},
): Promise<number> {
  const missing: LockedPackage[] = [];
  for (const entry of packages) if (!(await hasBlob(store, entry.sha256))) missing.push(entry);
  if (missing.length === 0) return 0;
  const bases = await mirrors();
  const totalBytes = missing.reduce((sum, p) => sum + p.size, 0);
  const received = new Map<string, number>();
  const report = (name: string, bytes: number): void => {
    received.set(name, bytes);
    watch.onProgress?.({ doneBytes: [...received.values()].reduce((a, b) => a + b, 0), totalBytes });
  };
  const queue = [...missing].sort((a, b) => b.size - a.size);
  const fetchOne = async (entry: LockedPackage, signal: AbortSignal): Promise<void> => {
    const { name, version, sha256: digest, size, path, archive } = entry;
    const onBytes = (total: number): void => report(name, total);
    const expected = { digest, size, what: `package ${name} ${version}`, onBytes };
    await fetchBlob(store, `${bases[archive]}/${path}`, expected, { signal, patience: watch.patience });
  };
  await sideBySide(queue, PARALLEL, fetchOne, watch.signal);
  return missing.length;
}
