// SPDX-License-Identifier: Apache-2.0
// What a boot must show from firmware to power-off: each phase, the ready line with the plan's root and command line, a
// network address, the status screen, and a clean end on the ACPI button.
import assert from "node:assert/strict";
import type { ConsoleEvent } from "../../builder/host/machine.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { PlanCore } from "../../builder/plan/core.ts";
import type { Boot } from "./booted-machine.ts";
import { assertLogged } from "./booted-machine.ts";
import { assertShows } from "./screen.ts";

const STAGE1_PHASES = ["mounts", "cmdline", "modules", "find-root", "verity", "root", "switch-root"];
const INIT_PHASES = ["system-mounts", "system-modules", "hostname", "console", "api", "meta", "state", "config"];
const LATE_PHASES = ["network", "platform", "services", "ready", "stop-services", "shutdown"];

const SCREEN_COLUMNS = 80;
const SECOND_COLUMN = 41;

/** When a machine is ready and has an address, whichever comes first: on a busy host that may be the address. */
export function readyWithAddress(): (event: ConsoleEvent) => boolean {
  let [isReady, isReachable] = [false, false];
  return (event) => {
    isReady ||= event.kind === "ready";
    isReachable ||= hasAddress(event);
    return isReady && isReachable;
  };
}

/** One link has an address of QEMU's network from DHCP. */
function hasAddress(event: ConsoleEvent): boolean {
  return event.kind === "status" && /^link=\S+ state="up" addresses=10\.0\.2\.\d+\/24/.test(event.text);
}

/** A boot that waited for an address and took a picture of the screen. */
export function checkFullBoot(boot: Boot, core: PlanCore): void {
  const phases = boot.events.flatMap((e) => (e.kind === "phase" ? [e.name] : []));
  assert.deepEqual(phases, [...STAGE1_PHASES, ...INIT_PHASES, ...LATE_PHASES]);
  checkReady(boot, core);
  assert.ok(boot.events.some(hasAddress), "no address");
  assert.ok(boot.screen !== undefined, "no screen");
  assertShows(boot.screen, dashboardRows(core));
  checkPowerOff(boot);
}

/** What the dashboard shows whatever the machine: see userland/internal/dashboardview. */
function dashboardRows(core: PlanCore): ReadonlyMap<number, string> {
  const title = `Dodeka v${core.version}`;
  const fields = (left: string, right: string): string =>
    ` Platform   ${left}`.padEnd(SECOND_COLUMN) + `Phase      ${right}`;
  const rows: readonly (readonly [number, string])[] = [
    [0, title.padStart(Math.floor((SCREEN_COLUMNS + title.length) / 2))],
    [1, "=".repeat(SCREEN_COLUMNS)],
    [3, fields(`${core.platform} ${core.arch}`, "ready")],
  ];
  return new Map(rows.map(([row, text]) => [row, text.padEnd(SCREEN_COLUMNS)]));
}

/** Ready with what the plan says, and nothing failed. */
export function checkReady(boot: Boot, core: PlanCore): void {
  const ready = boot.events.flatMap((e) => (e.kind === "ready" ? [e.fields] : []));
  assert.deepEqual(ready, [
    { version: core.version, arch: core.arch, root: core.root.hash, cmdline: sha256(core.commandLine) },
  ]);
  assert.equal(
    boot.events.find((e) => e.kind === "failed"),
    undefined,
  );
}

/** The power button ended it cleanly. */
export function checkPowerOff(boot: Boot): void {
  assertLogged(boot, /^dodeka: next power off$/m);
  assertLogged(boot, /reboot: Power down/);
  assert.equal(boot.exitCode, 0);
}
