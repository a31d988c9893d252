// SPDX-License-Identifier: Apache-2.0
// Boots an image as a test: waits for what the test wants to see, presses the power button, and keeps the console log
// of a boot that went wrong in out/boot-logs/.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bootableImage } from "../../builder/host/bootable-image.ts";
import type { ConsoleEvent, MachineControls, MachineRun } from "../../builder/host/machine.ts";
import { runMachine } from "../../builder/host/machine.ts";
import { DEFAULT_MACHINE } from "../../builder/host/qemu-args.ts";
import type { MachineSpec } from "../../builder/host/qemu-args.ts";
import { openBox } from "../foreign/judge.ts";

const LOG_DIR = fileURLToPath(new URL("../../out/boot-logs", import.meta.url));
const DEADLINE_MS = 240_000;
const STARVED_TIMER = /Kernel panic - not syncing: IO-APIC \+ timer doesn't work!/;
const STARVED_ATTEMPTS = 3;
const REDRAW_MS = 1500; // the screen is drawn within 0.2 s of a change; TCG on a busy host is slow

export interface BootOptions {
  readonly image: string;
  /** What differs from DEFAULT_MACHINE. TCG always: a test's result must not depend on the host. */
  readonly spec?: Partial<MachineSpec>;
  /** After this event the machine is switched off. */
  readonly until: (event: ConsoleEvent) => boolean;
  /** Console output after which nothing more can come: the machine is stopped. */
  readonly stopAt?: RegExp;
  readonly screenshot?: boolean;
}

export interface Boot extends MachineRun {
  /** PPM (P6) of the display just before the power button. */
  readonly screen: Uint8Array | undefined;
}

/** Runs one machine to its end and hands it to `check`; when that throws, the console log is saved and named. */
export async function bootAndCheck(name: string, options: BootOptions, check: (boot: Boot) => void): Promise<void> {
  const boot = await bootWithClock(name, options);
  try {
    assert.equal(boot.timedOut, false, `no end after ${DEADLINE_MS / 1000} s`);
    check(boot);
  } catch (error) {
    mkdirSync(LOG_DIR, { recursive: true });
    const file = join(LOG_DIR, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}.log`);
    writeFileSync(file, boot.log);
    if (boot.screen !== undefined) writeFileSync(file.replace(/log$/, "ppm"), boot.screen);
    throw new Error(`${name}: see ${file}\n${boot.log.split("\n").slice(-12).join("\n")}`, { cause: error });
  }
}

/** Like assert.match, without the whole log in the message: it is saved. */
export function assertLogged(boot: Boot, pattern: RegExp): void {
  assert.ok(pattern.test(boot.log), `the console did not show ${pattern}`);
}

/**
 * Starts again when the emulated interval timer stood still: on a busy host QEMU's timer thread can be starved for the
 * few milliseconds in which the kernel tests it, before anything of ours runs. Nothing else is tried twice.
 */
async function bootWithClock(name: string, options: BootOptions): Promise<Boot> {
  for (let attempt = 1; ; attempt++) {
    const boot = await bootMachine(options);
    if (attempt === STARVED_ATTEMPTS || !STARVED_TIMER.test(boot.log)) return boot;
    console.log(`${name}: the host starved the emulated timer; booting again`);
  }
}

async function bootMachine({ image, spec, until, stopAt, screenshot = false }: BootOptions): Promise<Boot> {
  const { root } = await openBox("machine");
  const bootable = await bootableImage(image);
  let screen: Uint8Array | undefined;
  let tail = "";
  let isOver = false;
  const switchOff = async (machine: MachineControls): Promise<void> => {
    if (screenshot) {
      await setTimeout(REDRAW_MS);
      screen = await machine.screenshot();
    }
    machine.powerButton();
  };
  try {
    const run = await runMachine({
      toolboxRoot: root,
      image: bootable.path,
      spec: { ...DEFAULT_MACHINE, ...spec, accelerator: "tcg" },
      timeoutMs: DEADLINE_MS,
      onOutput: (text, machine) => {
        tail = (tail + text).slice(-4096);
        if (stopAt?.test(tail) === true) machine.stop();
      },
      onEvent: (event, machine) => {
        if (event.kind === "failed") machine.stop();
        if (isOver || !until(event)) return;
        isOver = true;
        void switchOff(machine);
      },
    });
    return { ...run, screen };
  } finally {
    await bootable.discard();
  }
}
