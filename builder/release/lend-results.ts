// SPDX-License-Identifier: Apache-2.0
// Takes results of named steps over from another store, so that a rebuild elsewhere may leave out what takes longest:
// the kernel, or upstream's programs. Each output is hashed again; that the step would give it is taken on trust.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Sha256 } from "../layout/digest.ts";
import { adoptBlob } from "../host/adopt-blob.ts";
import type { Store } from "../host/store.ts";
import { readTextIfPresent, writeAtomically } from "../host/store.ts";
import { readResultText } from "./action.ts";

/** Names of the steps of which at least one result was taken. Throws STORE_CORRUPT for a damaged output. */
export async function lendResults(from: Store, to: Store, steps: readonly string[]): Promise<ReadonlySet<string>> {
  const lent = new Set<string>();
  for (const file of (await readdir(join(from.dir, "actions"))).sort()) {
    const text = await readTextIfPresent(join(from.dir, "actions", file));
    const result = text === undefined ? undefined : readResultText(text);
    if (text === undefined || result === undefined || !steps.includes(result.action)) continue;
    if (!(await adoptOutputs(from, to, result.digests))) continue;
    await writeAtomically(to, join(to.dir, "actions", file), text);
    lent.add(result.action);
  }
  return lent;
}

async function adoptOutputs(from: Store, to: Store, digests: readonly Sha256[]): Promise<boolean> {
  for (const digest of digests) if (!(await adoptBlob(to, from, digest))) return false;
  return true;
}
