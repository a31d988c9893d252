// SPDX-License-Identifier: Apache-2.0
// Every image boots on every firmware and attachment that it is made for: each phase, the ready line with the plan's
// root and command line, a network address, the status screen, and a clean power-off on the ACPI button.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConsoleEvent } from "../../builder/host/machine.ts";
import type { MachineSpec } from "../../builder/host/qemu-args.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { PlanCore } from "../../builder/plan/core.ts";
import type { OutputKind } from "../../builder/profile/model.ts";
import { buildImages } from "../foreign/built-images.ts";
import type { Boot } from "./booted-machine.ts";
import { assertLogged, bootAndCheck } from "./booted-machine.ts";
import { assertShows } from "./screen.ts";

const images = await buildImages(["raw", "iso", "uki"]);
const images4096 = await buildImages(["raw"], "4096");

const STAGE1_PHASES = ["mounts", "cmdline", "modules", "find-root", "verity", "root", "switch-root"];
const INIT_PHASES = ["system-mounts", "system-modules", "hostname", "console", "network", "ready", "shutdown"];

const SCREEN_COLUMNS = 80;

const MATRIX: readonly { readonly name: string; readonly kind: OutputKind; readonly spec: Partial<MachineSpec> }[] = [
  { name: "raw as virtio disk under SeaBIOS", kind: "raw", spec: { firmware: "bios", as: "disk" } },
  { name: "raw as virtio disk under OVMF", kind: "raw", spec: { firmware: "uefi", as: "disk" } },
  { name: "raw as SATA disk under OVMF", kind: "raw", spec: { firmware: "uefi", as: "ahci" } },
  {
    name: "raw as NVMe disk and e1000e under OVMF",
    kind: "raw",
    spec: { firmware: "uefi", as: "nvme", nic: "e1000e" },
  },
  { name: "raw as USB stick under OVMF", kind: "raw", spec: { firmware: "uefi", as: "usb" } },
  { name: "ISO as CD under SeaBIOS", kind: "iso", spec: { firmware: "bios", as: "cdrom" } },
  { name: "ISO as CD under OVMF", kind: "iso", spec: { firmware: "uefi", as: "cdrom" } },
  { name: "ISO as USB stick under SeaBIOS", kind: "iso", spec: { firmware: "bios", as: "usb" } },
  { name: "ISO as USB stick under OVMF", kind: "iso", spec: { firmware: "uefi", as: "usb" } },
  { name: "UKI started by OVMF itself", kind: "uki", spec: { firmware: "uefi" } },
];

for (const { name, kind, spec } of MATRIX) {
  test(`${name} boots to the status screen and powers off`, async () => {
    const options = { image: images.path(kind), spec, until: hasAddress, screenshot: true };
    await bootAndCheck(name, options, (boot) => checkFullBoot(boot, images.core));
  });
}

test("raw with sectors of 4096 bytes boots under OVMF", async () => {
  const options = {
    image: images4096.path("raw"),
    spec: { firmware: "uefi", as: "disk", sectorBytes: 4096 } as const,
    until: hasAddress,
    screenshot: true,
  };
  await bootAndCheck("raw 4096", options, (boot) => checkFullBoot(boot, images4096.core));
});

for (const [name, spec] of [
  ["without a network adapter", { nic: "none" }],
  ["on a network where nobody answers", { network: "silent" }],
] as const) {
  test(`a machine ${name} becomes ready`, async () => {
    const options = {
      image: images.path("raw"),
      spec: { firmware: "bios", ...spec } as const,
      until: (event: ConsoleEvent) => event.kind === "status",
    };
    await bootAndCheck(name, options, (boot) => {
      checkReady(boot, images.core);
      checkPowerOff(boot);
    });
  });
}

/** Ready, and one link that DHCP gave an address of QEMU's network. */
function hasAddress(event: ConsoleEvent): boolean {
  return event.kind === "status" && /^link=\S+ state="up" addresses=10\.0\.2\.\d+\/24/.test(event.text);
}

function checkFullBoot(boot: Boot, core: PlanCore): void {
  const phases = boot.events.flatMap((e) => (e.kind === "phase" ? [e.name] : []));
  assert.deepEqual(phases, [...STAGE1_PHASES, ...INIT_PHASES]);
  checkReady(boot, core);
  assert.ok(boot.events.some(hasAddress), "no address");
  assert.ok(boot.screen !== undefined, "no screen");
  assertShows(boot.screen, statusRows(core));
  checkPowerOff(boot);
}

/** What the status screen shows whatever the machine: see userland/internal/screen. */
function statusRows(core: PlanCore): ReadonlyMap<number, string> {
  const title = `Dodeka ${core.version}`;
  const field = (name: string, value: string): string => ` ${name.padEnd(10)} ${value}`;
  const rows: readonly (readonly [number, string])[] = [
    [0, title.padStart(Math.floor((SCREEN_COLUMNS + title.length) / 2))],
    [1, "=".repeat(SCREEN_COLUMNS)],
    [3, field("Platform", core.platform)],
    [4, field("Root", core.root.hash.slice(0, 16))],
    [5, field("Phase", "ready")],
    [7, "-".repeat(SCREEN_COLUMNS)],
    [15, "-".repeat(SCREEN_COLUMNS)],
  ];
  return new Map(rows.map(([row, text]) => [row, text.padEnd(SCREEN_COLUMNS)]));
}

function checkReady(boot: Boot, core: PlanCore): void {
  const ready = boot.events.flatMap((e) => (e.kind === "ready" ? [e.fields] : []));
  assert.deepEqual(ready, [
    { version: core.version, arch: core.arch, root: core.root.hash, cmdline: sha256(core.commandLine) },
  ]);
  assert.equal(
    boot.events.find((e) => e.kind === "failed"),
    undefined,
  );
}

function checkPowerOff(boot: Boot): void {
  assertLogged(boot, /^dodeka: next power off$/m);
  assertLogged(boot, /reboot: Power down/);
  assert.equal(boot.exitCode, 0);
}
