// SPDX-License-Identifier: Apache-2.0
// The driver table: what the kernel of a release does with each device alias that Linux knows a driver for. Hardware
// inventories (the modalias files of sysfs) are matched against it.
// Format: one line an alias, sorted: `state<TAB>alias<TAB>module`; state is builtin, module or missing.
// A built-in driver leaves no trace of its aliases in a 6.12 build, so they are taken from Debian's stock kernel of the
// same series, which has nearly every driver as a module. Limit: a driver that Debian builds in too is not listed.
import { xz } from "@napi-rs/lzma";
import { FactoryError } from "../errors.ts";
import type { Store } from "../host/store.ts";
import { readDebFiles } from "./deb-files.ts";
import type { LockedPackage } from "./lock.ts";
import { moduleName, readModinfo } from "./modinfo.ts";

export type DriverState = "builtin" | "module" | "missing";

export interface DriverAlias {
  readonly state: DriverState;
  /** Pattern with * and ?, as in modules.alias. */
  readonly alias: string;
  readonly module: string;
}

/** Buses whose aliases name hardware. Others (fs-, net-pf-, crypto-, char-major-) name services of the kernel. */
const DEVICE_ALIAS =
  /^(acpi|amba|cpu|dmi|fsl-mc|hdaudio|hid|i2c|ieee1394|input|ipmi|mdio|mei|mipi|nd|of|parport|pci|pcmcia|platform|pnp|scsi|sdio|serio|spi|ssb|tbsvc|typec|usb|virtio|vmbus|wmi|xen|zorro):/;

/** Aliases of devices by the name of the module that serves them, from a Debian kernel package. */
export async function readDeviceAliases(
  store: Store,
  kernel: LockedPackage,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const aliases = new Map<string, readonly string[]>();
  const files = await readDebFiles(store, kernel, (path) => /\.ko(\.xz)?$/.test(path));
  for (const [path, raw] of files) {
    const info = readModinfo(path, path.endsWith(".xz") ? await xz.decompress(raw) : raw);
    const ofDevices = info.aliases.filter((alias) => DEVICE_ALIAS.test(alias));
    if (ofDevices.length > 0) aliases.set(moduleName(path), ofDevices);
  }
  return aliases;
}

/** Every alias with what this kernel does about it. Sorted by alias, then module. */
export function makeDriverTable(
  known: ReadonlyMap<string, readonly string[]>,
  builtin: ReadonlySet<string>,
  modules: ReadonlySet<string>,
): readonly DriverAlias[] {
  const stateOf = (module: string): DriverState =>
    builtin.has(module) ? "builtin" : modules.has(module) ? "module" : "missing";
  const lines = [...known].flatMap(([module, aliases]) =>
    [...new Set(aliases)].map((alias) => ({ state: stateOf(module), alias, module })),
  );
  const key = (d: DriverAlias): string => `${d.alias}\t${d.module}`;
  return lines.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export function renderDriverTable(table: readonly DriverAlias[]): string {
  return table.map(({ state, alias, module }) => `${state}\t${alias}\t${module}\n`).join("");
}

/** Reads a table back. Throws FORMAT_INVALID with the line. */
export function parseDriverTable(text: string): readonly DriverAlias[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, index) => {
      const [state, alias, module, more] = line.split("\t");
      const known = state === "builtin" || state === "module" || state === "missing";
      if (known && alias !== undefined && module !== undefined && more === undefined) return { state, alias, module };
      throw new FactoryError({
        code: "FORMAT_INVALID",
        file: "driver table",
        line: index + 1,
        found: line,
        expected: "state, alias and module, with tabs between",
        fix: "run `dodeka release build` to make it again",
      });
    });
}
