// SPDX-License-Identifier: Apache-2.0
// A machine that a test talks to while it runs: its console is waited on, its API is reached through a port of this
// host's loopback, and its disk outlives it. The console log is kept in out/boot-logs/, whatever the outcome.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { MachineControls, MachineOptions, MachineRun, Wires } from "../../builder/host/machine.ts";
import { runMachine } from "../../builder/host/machine.ts";
import { DEFAULT_MACHINE } from "../../builder/host/qemu-args.ts";
import type { MachineSpec } from "../../builder/host/qemu-args.ts";
import { openBox } from "../foreign/judge.ts";

const LOG_DIR = fileURLToPath(new URL("../../out/boot-logs", import.meta.url));
const LIFE_MS = 1_200_000;
const POLL_MS = 100;
const API_PORT = 50_000;

export interface DrivenOptions {
  /** Names the saved log. */
  readonly name: string;
  readonly image: MachineOptions["image"];
  readonly spareDisk?: string;
  readonly wires?: Wires;
  /** Keeps the variables of UEFI between boots. */
  readonly variables?: string;
  readonly spec: Partial<MachineSpec>;
  /** Port of this host that leads to the machine's API. */
  readonly port: number;
}

export interface DrivenMachine {
  /** performance.now() when QEMU was started. */
  readonly startedMs: number;
  /** Everything the console showed so far, control sequences removed. */
  readonly log: () => string;
  /** Waits until the console shows a pattern; returns its groups. Throws with the last lines when it does not. */
  readonly waitFor: (pattern: RegExp, timeoutMs: number) => Promise<RegExpExecArray>;
  /** Waits until the machine is off, or was reset. */
  readonly end: () => Promise<MachineRun>;
  /** Plugs the cable of an adapter in, or pulls it. */
  readonly setLink: (id: string, up: boolean) => Promise<void>;
  /** Cuts the power. */
  readonly cut: () => Promise<void>;
}

export async function startMachine(options: DrivenOptions): Promise<DrivenMachine> {
  const { root } = await openBox("machine");
  let [raw, isOver] = ["", false];
  let controls: MachineControls | undefined;
  const stop = new AbortController();
  const startedMs = performance.now();
  const forwards = [{ hostPort: options.port, guestPort: API_PORT }];
  const run = runMachine({
    toolboxRoot: root,
    image: options.image,
    spareDisk: options.spareDisk,
    wires: options.wires,
    variables: options.variables,
    spec: { ...DEFAULT_MACHINE, ...options.spec, forwards, accelerator: "tcg" },
    timeoutMs: LIFE_MS,
    onOutput: (text, machine) => {
      raw += text;
      controls = machine;
      if (stop.signal.aborted) machine.stop();
    },
  });
  const over = run.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  const log = (): string => stripVTControlCharacters(raw).replaceAll("\r", "");
  const save = (): void => saveLog(options.name, log());
  void over.then(save);
  const waitFor = async (pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> => {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(log());
      if (found !== null) return found;
      if (isOver || performance.now() > deadline) throw notShown(options.name, pattern, log());
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const cut = async (): Promise<void> => {
    stop.abort();
    controls?.stop();
    await over;
  };
  const setLink = async (id: string, up: boolean): Promise<void> => {
    assert.ok(await controls?.setLink(id, up), `${options.name}: the machine is gone`);
  };
  return { startedMs, log, waitFor, end: () => run, setLink, cut };
}

/** A port of the loopback that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function notShown(name: string, pattern: RegExp, log: string): Error {
  return new Error(`${name}: the console did not show ${pattern}\n${log.split("\n").slice(-15).join("\n")}`);
}

/** Keeps what a console showed in out/boot-logs/. */
export function saveLog(name: string, log: string): void {
  mkdirSync(LOG_DIR, { recursive: true });
  writeFileSync(join(LOG_DIR, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}.log`), log);
}
