// SPDX-License-Identifier: Apache-2.0
// Boots an image in QEMU and watches its serial console. The lines that the OS prints (`dodeka: phase …`, `ready`,
// `failed`) are the contract; nothing here guesses from anything else.
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { FactoryError } from "../errors.ts";
import type { MachineImage, MachineSpec } from "./qemu-args.ts";
import { OVMF_VARIABLES, qemuArgv } from "./qemu-args.ts";
import { callQmp } from "./qmp.ts";
import { removeTree } from "./remove-tree.ts";
import type { SandboxCommand } from "./sandbox.ts";
import { runInSandbox } from "./sandbox.ts";

/** What a console line means. */
export type ConsoleEvent =
  | { readonly kind: "phase"; readonly name: string; readonly seconds: number }
  | { readonly kind: "ready"; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: "status"; readonly text: string }
  | { readonly kind: "failed"; readonly phase: string; readonly reason: string };

export interface MachineRun {
  /** Everything the serial console showed, control sequences removed. */
  readonly log: string;
  readonly events: readonly ConsoleEvent[];
  /** QEMU's exit code: 0 after a power-off or reset of the guest. */
  readonly exitCode: number;
  readonly timedOut: boolean;
}

export interface MachineOptions {
  /** Root of the "machine" toolbox. */
  readonly toolboxRoot: string;
  /** With absolute paths; a kernel and an initramfs lie in one folder. */
  readonly image: MachineImage;
  readonly spec: MachineSpec;
  /** Absolute path of a second disk, alone in its folder, which the guest may write. */
  readonly spareDisk?: string | undefined;
  readonly wires?: Wires | undefined;
  /** File that keeps the variables of UEFI between runs; made by the first. */
  readonly variables?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Raw console output as it comes. */
  readonly onOutput?: ((text: string, controls: MachineControls) => void) | undefined;
  /** Called at each event; may press the power button. */
  readonly onEvent?: ((event: ConsoleEvent, controls: MachineControls) => void) | undefined;
  /** The guest gets this terminal as its serial console. */
  readonly interactive?: boolean;
}

/** Further network adapters, and what they lead to. */
export interface Wires {
  /** Folder that the machine sees as /var/tmp/wires: sockets that it shares with other machines. */
  readonly dir: string;
  /** Arguments of QEMU. */
  readonly argv: readonly string[];
}

export interface MachineControls {
  /** Presses the ACPI power button. */
  readonly powerButton: () => void;
  /** What the display shows: a PPM file (P6). Undefined when the machine is gone. */
  readonly screenshot: () => Promise<Uint8Array | undefined>;
  /** Plugs the cable of the adapter with that id of QEMU in, or pulls it. */
  readonly setLink: (id: string, up: boolean) => Promise<boolean>;
  readonly stop: () => void;
}

/** Runs the machine until it powers off, resets, is stopped, or the time is over. */
export async function runMachine(options: MachineOptions): Promise<MachineRun> {
  const dir = await mkdtemp(join(tmpdir(), "dodeka-run-"));
  const stop = new AbortController();
  try {
    await copyFile(firmwareVariables(options), join(dir, "variables.fd"));
    const inside = {
      image: imageInside(options.image),
      variables: "/run/variables.fd",
      qmpSocket: "/run/qmp",
      spareDisk: options.spareDisk === undefined ? undefined : `/var/tmp/spare/${basename(options.spareDisk)}`,
    };
    const controls = machineControls(dir, stop);
    const watcher = watchConsole((event) => options.onEvent?.(event, controls));
    const command = {
      argv: [...qemuArgv(options.spec, inside), ...(options.wires?.argv ?? [])],
      env: { TMPDIR: "/tmp" },
      binds: machineBinds(options, dir),
      network: options.spec.forwards.length > 0,
      devices: options.spec.accelerator === "kvm" ? ["/dev/kvm"] : [],
    };
    const result = await runInSandbox(options.toolboxRoot, command, {
      signal: options.signal,
      timeoutMs: options.timeoutMs,
      stopSignal: stop.signal,
      passInput: options.interactive === true,
      onOutput: (text) => {
        options.onOutput?.(text, controls);
        watcher.feed(text);
      },
    });
    const failure = result.exitCode !== 0 && !result.timedOut && !stop.signal.aborted;
    if (failure) throw notStarted(result.exitCode, result.stderr);
    return { log: watcher.log(), events: watcher.events(), exitCode: result.exitCode, timedOut: result.timedOut };
  } finally {
    if (options.variables !== undefined) await copyFile(join(dir, "variables.fd"), options.variables);
    await removeTree(dir);
  }
}

/** What an earlier run left, or the firmware's own. */
function firmwareVariables({ variables, toolboxRoot }: MachineOptions): string {
  return variables !== undefined && existsSync(variables) ? variables : join(toolboxRoot, OVMF_VARIABLES);
}

type Binds = SandboxCommand["binds"];

function imageInside(image: MachineImage): MachineImage {
  const inside = (path: string): string => `/build/${basename(path)}`;
  if (typeof image === "string") return inside(image);
  if ("socket" in image) return { socket: inside(image.socket) };
  return { ...image, kernel: inside(image.kernel), initramfs: inside(image.initramfs) };
}

/** The folder that the machine sees as /build. */
function imageFolder(image: MachineImage): string {
  if (typeof image === "string") return dirname(image);
  return dirname("socket" in image ? image.socket : image.kernel);
}

function machineBinds({ image, spareDisk, spec, wires }: MachineOptions, dir: string): Binds {
  const spare: Binds =
    spareDisk === undefined ? [] : [{ host: dirname(spareDisk), inside: "/var/tmp/spare", writable: true }];
  const shared: Binds = wires === undefined ? [] : [{ host: wires.dir, inside: "/var/tmp/wires", writable: true }];
  return [
    { host: imageFolder(image), inside: "/build", writable: spec.keepsChanges },
    { host: dir, inside: "/run", writable: true },
    ...spare,
    ...shared,
  ];
}

/** `dir` is what the machine sees as /run. */
function machineControls(dir: string, stop: AbortController): MachineControls {
  const qmp = join(dir, "qmp");
  return {
    powerButton: () => void callQmp(qmp, "system_powerdown"),
    screenshot: async () => {
      const taken = await callQmp(qmp, "screendump", { filename: "/run/screen.ppm" });
      return taken ? readFile(join(dir, "screen.ppm")) : undefined;
    },
    setLink: (id, up) => callQmp(qmp, "set_link", { name: id, up }),
    stop: () => stop.abort(),
  };
}

interface ConsoleWatcher {
  readonly feed: (text: string) => void;
  readonly log: () => string;
  readonly events: () => readonly ConsoleEvent[];
}

function watchConsole(onEvent: (event: ConsoleEvent) => void): ConsoleWatcher {
  let log = "";
  let line = "";
  const events: ConsoleEvent[] = [];
  return {
    feed: (text) => {
      log += text;
      line += text;
      for (let end = line.indexOf("\n"); end >= 0; end = line.indexOf("\n")) {
        const event = parseConsoleLine(line.slice(0, end));
        line = line.slice(end + 1);
        if (event === undefined) continue;
        events.push(event);
        onEvent(event);
      }
    },
    log: () => stripVTControlCharacters(log).replaceAll("\r", ""),
    events: () => events,
  };
}

/** Reads one console line; undefined when it is not one of ours. */
export function parseConsoleLine(raw: string): ConsoleEvent | undefined {
  const line = stripVTControlCharacters(raw).trim();
  const at = line.indexOf("dodeka: ");
  if (at < 0) return undefined;
  const text = line.slice(at + "dodeka: ".length);
  const phase = /^phase (\S+) t=(\d+\.\d+)$/.exec(text);
  if (phase?.[1] !== undefined) return { kind: "phase", name: phase[1], seconds: Number(phase[2]) };
  const failed = /^failed phase=(\S+) reason=(.*)$/.exec(text);
  if (failed?.[1] !== undefined) return { kind: "failed", phase: failed[1], reason: failed[2] ?? "" };
  if (text.startsWith("status ")) return { kind: "status", text: text.slice("status ".length) };
  if (!text.startsWith("ready ")) return undefined;
  const fields = text
    .slice("ready ".length)
    .split(" ")
    .map((pair) => pair.split("=", 2));
  return { kind: "ready", fields: Object.fromEntries(fields.map(([key, value]) => [key ?? "", value ?? ""])) };
}

function notStarted(exitCode: number, stderr: string): FactoryError {
  return new FactoryError({
    code: "GUEST_FAILED",
    field: "qemu",
    found: `exit code ${exitCode}`,
    expected: "a machine that starts",
    fix: "read the output above",
    output: stderr.trim().split("\n").slice(-10).join("\n"),
  });
}
