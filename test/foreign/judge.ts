// SPDX-License-Identifier: Apache-2.0
// Foreign judges: tools that we did not write, run in the "judges" toolbox of locked packages. There is no way to skip
// one: a tool that cannot be had fails the test.
import { findMirrors } from "../../builder/release/apt-config.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { fetchPackages } from "../../builder/release/fetch-packages.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import type { Toolbox } from "../../builder/release/toolbox.ts";
import { openToolbox } from "../../builder/release/toolbox.ts";

export interface JudgeResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool; each of `dirs` is visible at its own path, writable. */
export type Judge = (argv: readonly string[], dirs: readonly string[]) => Promise<JudgeResult>;

const TIMEOUT_MS = 300_000;
let opened: Promise<Toolbox> | undefined;

/** The judges' toolbox, fetched and unpacked on first use. `network`: for tools that talk to a server of the test. */
export async function judge(network = false): Promise<Judge> {
  opened ??= openBox("judges");
  const box = await opened;
  return async (argv, dirs) => {
    const binds = dirs.map((dir) => ({ host: dir, inside: dir, writable: true }));
    return runInSandbox(box.root, { argv, binds, network }, { timeoutMs: TIMEOUT_MS });
  };
}

/** Any toolbox of the lock, ready to use. */
export async function openBox(group: string): Promise<Toolbox> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const lock = readLock();
  await fetchPackages(store, packagesOf(lock, group), () => findMirrors(settings));
  return openToolbox(store, lock, group);
}
