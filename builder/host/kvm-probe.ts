// SPDX-License-Identifier: Apache-2.0
// Finds out whether KVM really works. /dev/kvm may exist and still hang guests in real mode (nested virtualisation), so
// the probe boots one: a boot sector that writes to QEMU's debug-exit port. Anything but its answer means TCG.
import { access, constants, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Accelerator } from "./qemu-args.ts";
import { removeTree } from "./remove-tree.ts";
import { runInSandbox } from "./sandbox.ts";

const EXIT_VALUE = 0x10;
const EXPECTED_EXIT = (EXIT_VALUE << 1) | 1; // what isa-debug-exit makes of it
const TIMEOUT_MS = 5000;

/** "kvm" when a guest in real mode answered, else "tcg". Takes at most five seconds. */
export async function probeAccelerator(toolboxRoot: string): Promise<Accelerator> {
  const usable = await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return "tcg";
  const dir = await mkdtemp(join(tmpdir(), "dodeka-kvm-"));
  try {
    await writeFile(join(dir, "probe.img"), bootSector());
    const argv = [
      "qemu-system-x86_64",
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-machine",
      "q35",
      "-accel",
      "kvm",
    ];
    argv.push("-cpu", "host", "-m", "64", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
    argv.push("-drive", "if=ide,format=raw,readonly=on,file=/build/probe.img");
    const binds = [{ host: dir, inside: "/build", writable: false }];
    const { exitCode } = await runInSandbox(
      toolboxRoot,
      { argv, binds, devices: ["/dev/kvm"] },
      { timeoutMs: TIMEOUT_MS },
    );
    return exitCode === EXPECTED_EXIT ? "kvm" : "tcg";
  } finally {
    await removeTree(dir);
  }
}

/** 16-bit code: `mov al, EXIT_VALUE; out 0xf4, al; hlt; jmp $`. */
function bootSector(): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set([0xb0, EXIT_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfe], 0);
  sector.set([0x55, 0xaa], 510);
  return sector;
}
