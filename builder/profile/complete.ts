// SPDX-License-Identifier: Apache-2.0
// From checked data to a complete Profile, and back to the data that a user could have written.
import { FIELDS } from "./fields.ts";
import { bug } from "../errors.ts";
import { valueAt } from "./findings.ts";
import { OUTPUT_KINDS, PROFILE_FORMAT } from "./model.ts";
import type { Arch, MachineConfig, OutputKind, Platform, Profile, SectorSize } from "./model.ts";
import { formatSize, parseSize } from "./size.ts";

/** A profile as the user writes it, every field present that has a value. */
export interface ProfileDocument {
  readonly format: number;
  readonly name: string;
  readonly platform: string;
  readonly arch: string;
  readonly outputs: readonly string[];
  readonly kernelArguments: { readonly add: readonly string[]; readonly remove: readonly string[] };
  readonly console: readonly string[];
  readonly disk: { readonly espSize: string | number; readonly sectorSize: number };
  readonly machineConfig?: { readonly file: string } | { readonly inline: string };
}

/** Fills in the defaults of the field table. `value` must have passed findProblems; it is not changed or shared. */
export function completeProfile(value: unknown): Profile {
  const outputs = read(value, "outputs") as readonly string[];
  return {
    format: PROFILE_FORMAT,
    name: read(value, "name") as string,
    platform: read(value, "platform") as Platform,
    arch: read(value, "arch") as Arch,
    outputs: OUTPUT_KINDS.filter((kind: OutputKind) => outputs.includes(kind)),
    kernelArguments: {
      add: read(value, "kernelArguments.add") as readonly string[],
      remove: read(value, "kernelArguments.remove") as readonly string[],
    },
    console: read(value, "console") as readonly string[],
    disk: {
      espSizeBytes: parseSize(read(value, "disk.espSize") as string | number) ?? fail("disk.espSize"),
      sectorSize: read(value, "disk.sectorSize") as SectorSize,
    },
    machineConfig: readMachineConfig(value),
  };
}

/** The document that parses to `profile`. */
export function toDocument(profile: Profile): ProfileDocument {
  const { format, name, platform, arch, outputs, kernelArguments, console, disk, machineConfig } = profile;
  return {
    format,
    name,
    platform,
    arch,
    outputs,
    kernelArguments,
    console,
    disk: { espSize: formatSize(disk.espSizeBytes), sectorSize: disk.sectorSize },
    ...(machineConfig.kind === "file" ? { machineConfig: { file: machineConfig.path } } : {}),
    ...(machineConfig.kind === "inline" ? { machineConfig: { inline: machineConfig.text } } : {}),
  };
}

/** The value, or the default; a copy in either case. The schema has established its type. */
function read(value: unknown, path: string): unknown {
  const written = valueAt(value, path.split("."));
  const chosen = written ?? FIELDS.find((field) => field.path === path)?.default ?? fail(path);
  return structuredClone(chosen);
}

function readMachineConfig(value: unknown): MachineConfig {
  const file = valueAt(value, ["machineConfig", "file"]);
  const inline = valueAt(value, ["machineConfig", "inline"]);
  if (typeof file === "string") return { kind: "file", path: file.replace(/^\.\//, "") };
  if (typeof inline === "string") return { kind: "inline", text: inline };
  return { kind: "none" };
}

function fail(path: string): never {
  throw bug(`no value for the checked field ${path}`);
}
