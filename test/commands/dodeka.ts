// SPDX-License-Identifier: Apache-2.0
// Runs `dodeka` as a user does: the launcher in a process of its own, with a store of its own that holds the fake
// release.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { saveRelease } from "../../builder/commands/load-release.ts";
import type { Store } from "../../builder/host/store.ts";
import { putBytes } from "../../builder/host/store.ts";
import type { PartName } from "../../builder/release/manifest.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";
import { temporaryDirectory, temporaryStore } from "../host/temp-store.ts";

export const LAUNCHER: string = fileURLToPath(new URL("../../builder/launch.mjs", import.meta.url));

/** A store with a complete release; `change` replaces parts of it. */
export async function storeWithRelease(change: Partial<Record<PartName, Uint8Array>> = {}): Promise<Store> {
  const store = await temporaryStore();
  const { release, blobs } = fakeRelease(change);
  for (const bytes of blobs.values()) await putBytes(store, bytes);
  await saveRelease(store, release);
  return store;
}

export interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly store: Store | undefined;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Run as this user, where the tests run as root. */
  readonly uid?: number;
  /** Program and arguments before the launcher's path. */
  readonly through?: readonly string[];
  readonly onStart?: (child: ChildProcess) => void;
}

export async function dodeka(args: readonly string[], options: RunOptions): Promise<Run> {
  const { store, cwd = temporaryDirectory(), env = {}, uid, through = [], onStart } = options;
  const [program = process.execPath, ...rest] = [...through, process.execPath, LAUNCHER, ...args];
  const child = spawn(program, rest, {
    cwd,
    env: { PATH: "/usr/bin:/bin", HOME: cwd, DODEKA_STORE: store?.dir ?? join(cwd, "store"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined || process.getuid?.() !== 0 ? {} : { uid, gid: uid }),
  });
  onStart?.(child);
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map(readAll));
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { exitCode: child.exitCode, stdout: stdout ?? "", stderr: stderr ?? "" };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString("utf8");
}
