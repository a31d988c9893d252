// SPDX-License-Identifier: Apache-2.0
// dodeka run: boots an image in QEMU and shows its serial console.
import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import { streamArtifact } from "../host/evidence-files.ts";
import { bootableImage } from "../host/bootable-image.ts";
import { probeAccelerator } from "../host/kvm-probe.ts";
import type { ConsoleEvent, MachineControls } from "../host/machine.ts";
import { runMachine } from "../host/machine.ts";
import type { Accelerator, Attachment, Firmware } from "../host/qemu-args.ts";
import { DEFAULT_MACHINE } from "../host/qemu-args.ts";
import { readLock } from "../release/lock.ts";
import { bootTestOf, writeBootTest } from "./attest-boot.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";
import { fetchGroups, prepareToolbox } from "./compile-steps.ts";
import { openSigner } from "./sign-options.ts";
import type { SigningOptions } from "./sign-options.ts";

export interface RunOptions {
  readonly image: string;
  readonly firmware: Firmware;
  /** By default a CD-ROM for .iso files and a disk for everything else. */
  readonly as: Attachment | undefined;
  readonly memoryMib: number;
  readonly sectorBytes: 512 | 4096;
  readonly serialOnly: boolean;
  readonly accelerator: Accelerator | "auto";
  readonly nic: string;
  /** `ready`: presses the power button once the machine is up, and reports how that went. */
  readonly until: "poweroff" | "ready";
  readonly timeoutMs: number | undefined;
  /** Writes down beside the image what was seen, and signs it when there is somebody to sign. */
  readonly attest: { readonly signing: SigningOptions | undefined } | undefined;
}

/** Exit code 0 when the machine was ready and powered off; 1 when it failed, never became ready, or ran out of time. */
export async function runRun(context: CommandContext, options: RunOptions): CommandResult {
  const path = await imagePath(options.image);
  const { attest } = options;
  const signer = attest?.signing === undefined ? undefined : await openSigner(context, attest.signing);
  const tested = attest === undefined ? undefined : await streamArtifact(path, false);
  const store = await contextStore(context);
  const lock = readLock();
  await fetchGroups(context, store, lock, ["machine"]);
  const toolbox = await prepareToolbox(context, store, lock, "machine");
  const accelerator = options.accelerator === "auto" ? await probeAccelerator(toolbox.root) : options.accelerator;
  const image = await bootableImage(path);
  try {
    const as = options.as ?? (path.endsWith(".iso") ? "cdrom" : "disk");
    const { firmware, memoryMib, sectorBytes, serialOnly, nic } = options;
    context.reporter.note(
      `${options.image} as ${as} under ${firmware === "uefi" ? "OVMF" : "SeaBIOS"} (${accelerator})`,
    );
    const spec = { ...DEFAULT_MACHINE, firmware, as, memoryMib, sectorBytes, serialOnly, accelerator, nic };
    const run = await runMachine({
      toolboxRoot: toolbox.root,
      image: image.path,
      spec,
      timeoutMs: options.timeoutMs ?? 24 * 3600 * 1000,
      signal: context.signal,
      onOutput: context.print,
      onEvent: (event, controls) => onEvent(options, event, controls),
      interactive: options.until === "poweroff",
    });
    if (tested !== undefined) {
      const test = { ...bootTestOf(spec, run, lock), console: run.log };
      context.reporter.note(`attested in ${await writeBootTest(path, tested.digest, test, signer)}`);
    }
    const failed = run.events.find((e) => e.kind === "failed");
    if (failed?.kind === "failed") throw guestFailed(`phase ${failed.phase}: ${failed.reason}`);
    if (run.timedOut) throw guestFailed("no end in time");
    if (!run.events.some((e) => e.kind === "ready")) throw guestFailed("the machine stopped before it was ready");
    return undefined;
  } finally {
    await image.discard();
  }
}

function onEvent({ until }: RunOptions, event: ConsoleEvent, controls: MachineControls): void {
  if (event.kind === "ready" && until === "ready") controls.powerButton();
  if (event.kind === "failed" && until === "ready") controls.stop();
}

async function imagePath(image: string): Promise<string> {
  const path = await realpath(image).catch(() => undefined);
  if (path !== undefined && (await stat(path)).isFile())
    return join(dirname(path), path.slice(dirname(path).length + 1));
  throw new FactoryError({
    code: "USAGE",
    field: "IMAGE",
    found: image,
    expected: "an image file",
    fix: "run `dodeka build` first",
  });
}

function guestFailed(found: string): FactoryError {
  return new FactoryError({
    code: "GUEST_FAILED",
    field: "machine",
    found,
    expected: "ready, then a clean power-off",
    fix: "read the console output above",
  });
}
