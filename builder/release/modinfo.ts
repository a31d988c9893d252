// SPDX-License-Identifier: Apache-2.0
// Reads a kernel module's own description: the NUL-separated `key=value` strings of its .modinfo section.
// Spec: Linux include/linux/moduleinfo.h. Little-endian 64-bit modules only.
import { FactoryError } from "../errors.ts";
import { findElfSection } from "../layout/elf.ts";

export interface ModuleInfo {
  /** With underscores, as the kernel names it. */
  readonly name: string;
  /** Names of the modules it needs, with underscores. */
  readonly depends: readonly string[];
  /** Patterns of the device aliases it serves. */
  readonly aliases: readonly string[];
  readonly license: string;
}

/** Parses an uncompressed module. Throws FORMAT_INVALID; `path` names it in the error. */
export function readModinfo(path: string, module: Uint8Array): ModuleInfo {
  const values = new Map<string, string[]>();
  for (const line of Buffer.from(modinfoSection(path, module)).toString("latin1").split("\0")) {
    const equals = line.indexOf("=");
    if (equals > 0)
      values.set(line.slice(0, equals), [...(values.get(line.slice(0, equals)) ?? []), line.slice(equals + 1)]);
  }
  const one = (key: string): string => values.get(key)?.[0] ?? "";
  return {
    name: one("name") || moduleName(path),
    depends: one("depends")
      .split(",")
      .filter((d) => d !== "")
      .map(moduleName),
    aliases: values.get("alias") ?? [],
    license: one("license"),
  };
}

/** `drivers/ata/ahci-platform.ko.xz` -> `ahci_platform`. */
export function moduleName(path: string): string {
  return (path.split("/").at(-1) ?? "").replace(/\.ko(\.xz|\.zst|\.gz)?$/, "").replaceAll("-", "_");
}

function modinfoSection(path: string, module: Uint8Array): Uint8Array {
  const found = findElfSection(path, module, ".modinfo");
  if (found !== undefined) return found;
  const fix = "fetch the kernel package again";
  throw new FactoryError({ code: "FORMAT_INVALID", file: path, expected: "a section .modinfo", fix });
}
