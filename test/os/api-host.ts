// SPDX-License-Identifier: Apache-2.0
// The machine API as a process of this host, on a loopback address: the same code that init runs, without a machine.
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { removeTree } from "../../builder/host/remove-tree.ts";

export interface ApiHost {
  /** Address and port of apid. */
  readonly address: string;
  /** What it printed so far. */
  readonly log: () => string;
  /** The one-time code of maintenance mode that was shown last. */
  readonly code: () => string;
  /** False once the process has ended. */
  readonly isUp: () => boolean;
  /** Resident memory of the process. */
  readonly memoryMib: () => number;
  readonly stop: () => Promise<void>;
}

const START_MS = 30_000;
const READY = /^ready (\S+)$/gm;

/** Starts the API; with `config` of a configured machine, without it in maintenance mode. */
export async function startApiHost(program: string, config?: string): Promise<ApiHost> {
  const dir = await mkdtemp(join(tmpdir(), "apihost-"));
  const args = ["-dir", dir, "-listen", "127.0.0.1:0"];
  if (config !== undefined) {
    await writeFile(join(dir, "config.yaml"), config);
    args.push("-config", join(dir, "config.yaml"));
  }
  const child = execa(program, args, { reject: false, buffer: false, stdin: "ignore", all: true });
  let log = "";
  let hasEnded = false;
  child.all.on("data", (chunk: Buffer) => (log += chunk.toString("utf8")));
  void child.then(() => (hasEnded = true));
  const find = (pattern: RegExp): string | undefined => [...log.matchAll(pattern)].at(-1)?.[1];
  const deadline = performance.now() + START_MS;
  while (find(READY) === undefined) {
    if (hasEnded || performance.now() > deadline) throw new Error(`the API did not start:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    address: find(READY) ?? "",
    log: () => log,
    code: () => find(/maintenance code (\S+)/g) ?? "",
    isUp: () => !hasEnded,
    memoryMib: () => residentMib(child.pid ?? 0),
    stop: async () => {
      child.kill("SIGTERM");
      await child;
      await removeTree(dir);
    },
  };
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
