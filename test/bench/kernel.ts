// SPDX-License-Identifier: Apache-2.0
// Benchmark of the kernel: sizes and boots of the newest release with our own kernel beside the newest with the stock
// one, in turns on the same machine. Time to PID 1 and to ready is that of the guest's clock (since its kernel began)
// and of the host (since QEMU was started, firmware included).
// Run: node builder/launch.mjs --exec test/bench/kernel.ts [rounds]
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { runMachine } from "../../builder/host/machine.ts";
import { DEFAULT_MACHINE } from "../../builder/host/qemu-args.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import type { KernelFlavour } from "../../builder/release/manifest.ts";
import { openBox } from "../foreign/judge.ts";
import { ROOT } from "../structure/tracked-files.ts";

const ROUNDS = Number(process.argv[2] ?? 3);
const FLAVOURS: readonly KernelFlavour[] = ["stock", "source"];

interface Boot {
  readonly hostInit: number;
  readonly hostReady: number;
  readonly guestInit: number;
  readonly guestReady: number;
}

const store = await openStore(readSettings().storeDir);
const machine = await openBox("machine");
const dir = mkdtempSync(join(tmpdir(), "kernel-bench-"));
try {
  const images = new Map<KernelFlavour, string>();
  for (const flavour of FLAVOURS) {
    const found = await findReleaseWith(store, flavour);
    assert.ok(found !== undefined, `no release with the ${flavour} kernel: dodeka release build --kernel ${flavour}`);
    const { parts, kernel } = found.release;
    const sizes = [parts.kernel.size, parts.initramfs.size, parts.root.size];
    console.log(`${flavour.padEnd(8)}${kernel.release.padEnd(28)}kernel, initramfs, root: ${sizes.join(", ")} bytes`);
    const out = join(dir, flavour);
    const command = ["builder/launch.mjs", "build", "metal", "-o", out, "--output", "raw", "--release", found.digest];
    execFileSync(process.execPath, command, { cwd: ROOT, stdio: "ignore" });
    images.set(flavour, join(out, "metal-amd64.raw"));
  }
  console.log("\nmedian of                 host: PID 1    ready   guest: PID 1    ready   (seconds, TCG)");
  for (const firmware of ["bios", "uefi"] as const) {
    const boots = new Map<KernelFlavour, Boot[]>(FLAVOURS.map((f) => [f, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [flavour, image] of images) boots.get(flavour)?.push(await boot(image, firmware));
    }
    const medians = FLAVOURS.map((flavour) => medianBoot(boots.get(flavour) ?? []));
    for (const [i, flavour] of FLAVOURS.entries()) console.log(line(`${firmware} ${flavour}`, medians[i]));
    console.log(line(`${firmware} source / stock`, ratio(medians[1], medians[0])));
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function boot(image: string, firmware: "bios" | "uefi"): Promise<Boot> {
  const started = performance.now();
  const seen = new Map<string, { host: number; guest: number }>();
  const run = await runMachine({
    toolboxRoot: machine.root,
    image,
    spec: { ...DEFAULT_MACHINE, firmware, accelerator: "tcg" },
    timeoutMs: 240_000,
    onEvent: (event, controls) => {
      const host = (performance.now() - started) / 1000;
      if (event.kind === "phase" && !seen.has("init")) seen.set("init", { host, guest: event.seconds });
      if (event.kind === "phase") seen.set("last", { host, guest: event.seconds });
      if (event.kind === "ready") {
        seen.set("ready", { host, guest: Number(event.fields["t"] ?? seen.get("last")?.guest ?? 0) });
        controls.powerButton();
      }
    },
  });
  const [init, ready] = [seen.get("init"), seen.get("ready")];
  assert.ok(init !== undefined && ready !== undefined, run.log.slice(-2000));
  return { hostInit: init.host, hostReady: ready.host, guestInit: init.guest, guestReady: ready.guest };
}

function medianBoot(boots: readonly Boot[]): Boot {
  const median = (of: (one: Boot) => number): number =>
    boots.map(of).toSorted((a, b) => a - b)[Math.floor(boots.length / 2)] ?? 0;
  return {
    hostInit: median((b) => b.hostInit),
    hostReady: median((b) => b.hostReady),
    guestInit: median((b) => b.guestInit),
    guestReady: median((b) => b.guestReady),
  };
}

function ratio(a: Boot | undefined, b: Boot | undefined): Boot | undefined {
  if (a === undefined || b === undefined) return undefined;
  return {
    hostInit: a.hostInit / b.hostInit,
    hostReady: a.hostReady / b.hostReady,
    guestInit: a.guestInit / b.guestInit,
    guestReady: a.guestReady / b.guestReady,
  };
}

function line(name: string, measured: Boot | undefined): string {
  const { hostInit, hostReady, guestInit, guestReady } = measured ?? {
    hostInit: 0,
    hostReady: 0,
    guestInit: 0,
    guestReady: 0,
  };
  const cell = (value: number, width: number): string => value.toFixed(2).padStart(width);
  return `${name.padEnd(26)}${cell(hostInit, 11)}${cell(hostReady, 9)}${cell(guestInit, 15)}${cell(guestReady, 9)}`;
}
