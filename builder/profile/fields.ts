// SPDX-License-Identifier: Apache-2.0
// The profile language, one row a field. schema.ts derives the JSON Schema from it, problems.ts the error texts,
// complete.ts the defaults, overrides.ts the command line, reference.ts the reference page. Add a field here, to
// model.ts and to complete.ts, and nowhere else.
import { complainAboutArgument, ARGUMENT_PATTERN, COMMAND_LINE_MAX, CONSOLE_PATTERN } from "./kernel-argument.ts";
import { complainAboutSize, GIB, MIB, SIZE_PATTERN } from "./size.ts";
import type { Complaint, Field, Rule } from "./field.ts";
import * as model from "./model.ts";

const ARGUMENT_ITEM: Rule = {
  schema: { type: "string", pattern: ARGUMENT_PATTERN, maxLength: COMMAND_LINE_MAX },
  expected: `one kernel argument: key, key=value or key="some words", at most ${COMMAND_LINE_MAX} characters`,
  fix: "correct the argument, or remove it",
  check: complainAboutArgument,
};
const MAX_ARGUMENTS = 128;
/** 34 MiB is the least that FAT32 needs at 512 bytes a sector; the layout knows the exact bound for the content. */
const ESP_BOUNDS = { min: 34 * MIB, max: 1024 * GIB, multipleOf: MIB };

export const FIELDS: readonly Field[] = [
  {
    path: "format",
    schema: { type: "integer", const: model.PROFILE_FORMAT },
    required: true,
    default: undefined,
    expected: `${model.PROFILE_FORMAT}, the version of the profile format`,
    fix: `write format: ${model.PROFILE_FORMAT}`,
    help: "Version of the profile format. A factory refuses a version that it does not know, instead of guessing.",
    example: "format: 1",
    since: "0.1",
  },
  {
    path: "name",
    schema: { type: "string", pattern: "^[a-z][a-z0-9-]{0,62}$" },
    required: true,
    default: undefined,
    expected: "1 to 63 of a-z, 0-9 and -, starting with a letter",
    fix: "write a short name, such as edge-router",
    help: "Name of the profile. It is part of the names of the files that a build writes.",
    example: "name: edge-router",
    since: "0.1",
  },
  {
    path: "platform",
    schema: { type: "string", enum: model.PLATFORMS },
    required: true,
    default: undefined,
    expected: listWords(model.PLATFORMS, "or"),
    fix: "write one of the platforms",
    help: "Where the image runs. It decides how the machine finds its configuration and its network.",
    example: "platform: metal",
    since: "0.1",
  },
  {
    path: "arch",
    schema: { type: "string", enum: model.ARCHES },
    required: false,
    default: "amd64",
    expected: listWords(model.ARCHES, "or"),
    fix: "remove the field to take the default",
    check: complainAboutArch,
    help: "Processor architecture of the image.",
    example: "arch: amd64",
    since: "0.1",
    option: { key: "arch", flag: "--arch", argument: "name", effect: "replace" },
  },
  {
    path: "outputs",
    schema: { type: "array", minItems: 1, maxItems: model.OUTPUT_KINDS.length, uniqueItems: true },
    items: {
      schema: { type: "string", enum: model.OUTPUT_KINDS },
      expected: listWords(model.OUTPUT_KINDS, "or"),
      fix: "write one of the outputs, each once",
    },
    required: false,
    default: ["raw", "iso", "uki"],
    expected: `a list of at least one of ${listWords(model.OUTPUT_KINDS, "and")}, each once`,
    fix: "write the outputs as a list, or remove the field to take the default",
    help:
      "What a build writes: a disk image (raw), a hybrid installation image (iso), a signed unified kernel image " +
      "(uki), what an installed machine is upgraded with (installer), or the parts of an image. The order has no meaning.",
    example: "outputs: [raw, iso]",
    since: "0.1",
    option: { key: "outputs", flag: "--output", argument: "kind", effect: "replace" },
  },
  {
    path: "kernelArguments",
    schema: { type: "object" },
    required: false,
    default: undefined,
    expected: "a mapping with add, remove or both",
    fix: "write the arguments below add: or remove:",
    help: "Changes to the kernel command line, which is part of the signed unified kernel image.",
    example: "kernelArguments:\n  add: [panic=10]",
    since: "0.1",
  },
  {
    path: "kernelArguments.add",
    schema: { type: "array", maxItems: MAX_ARGUMENTS, uniqueItems: true },
    items: ARGUMENT_ITEM,
    required: false,
    default: [],
    expected: `a list of at most ${MAX_ARGUMENTS} kernel arguments, each once`,
    fix: "write the arguments as a list",
    help:
      "Arguments to append, in this order, after the factory's own. Each entry is one argument; a value with spaces " +
      `stands in double quotes. The whole command line holds at most ${COMMAND_LINE_MAX} characters.`,
    example: "kernelArguments:\n  add:\n    - panic=10\n    - 'dyndbg=\"file drivers/usb/* +p\"'",
    since: "0.1",
    option: { key: "addArguments", flag: "--kernel-arg", argument: "argument", effect: "append" },
  },
  {
    path: "kernelArguments.remove",
    schema: { type: "array", maxItems: MAX_ARGUMENTS, uniqueItems: true },
    items: ARGUMENT_ITEM,
    required: false,
    default: [],
    expected: `a list of at most ${MAX_ARGUMENTS} kernel arguments, each once`,
    fix: "write the arguments as a list",
    help:
      "Arguments to take away from the factory's own: a key alone removes every argument of that key, key=value " +
      "removes that one. It happens before add, so a remove and an add together replace. An entry that matches " +
      "nothing is an error.",
    example: "kernelArguments:\n  remove:\n    - console=tty0",
    since: "0.1",
    option: { key: "removeArguments", flag: "--remove-kernel-arg", argument: "argument", effect: "append" },
  },
  {
    path: "console",
    schema: { type: "array", maxItems: 8, uniqueItems: true },
    items: {
      schema: { type: "string", pattern: CONSOLE_PATTERN },
      expected: "the kernel's name of a console, with options: tty0, ttyS0, ttyS0,115200n8, hvc0",
      fix: "write it as the kernel's console= argument has it, without /dev/",
    },
    required: false,
    default: ["tty0", "ttyS0"],
    expected: "a list of at most 8 kernel consoles, each once",
    fix: "write the consoles as a list, or remove the field to take the default",
    help:
      "Consoles that show kernel messages; each becomes a console= argument. The last one is /dev/console. An empty " +
      "list leaves the choice to the kernel.",
    example: 'console: [tty0, "ttyS1,115200n8"]',
    since: "0.1",
    option: { key: "console", flag: "--console", argument: "console", effect: "replace" },
  },
  {
    path: "disk",
    schema: { type: "object" },
    required: false,
    default: undefined,
    expected: "a mapping with espSize, sectorSize or both",
    fix: "write the fields of the disk below it, or remove it to take the defaults",
    help: "Layout of the disk image.",
    example: "disk:\n  espSize: 1GiB",
    since: "0.1",
  },
  {
    path: "disk.espSize",
    schema: { type: ["string", "integer"], pattern: SIZE_PATTERN },
    required: false,
    default: "512MiB",
    expected: "a multiple of 1MiB from 34MiB to 1024GiB, in bytes or with KiB, MiB or GiB",
    fix: "write a size such as 512MiB, or remove the field to take the default",
    check: (value) => complainAboutSize(value, ESP_BOUNDS),
    help:
      "Size of the EFI system partition, which holds the boot loader and two versions of the OS. Disks of 4096 bytes " +
      "a sector need about 260MiB at least, because of FAT32.",
    example: "disk:\n  espSize: 1GiB",
    since: "0.1",
    option: { key: "espSize", flag: "--esp-size", argument: "size", effect: "replace" },
  },
  {
    path: "disk.sectorSize",
    schema: { type: "integer", enum: model.SECTOR_SIZES },
    required: false,
    default: 512,
    expected: "512 or 4096 (bytes per logical sector)",
    fix: "write 512, or remove the field to take the default",
    help: "Bytes per logical sector of the target disk. An image for one size does not boot from a disk of the other.",
    example: "disk:\n  sectorSize: 4096",
    since: "0.1",
    option: { key: "sectorSize", flag: "--sector-size", argument: "bytes", effect: "replace" },
  },
  {
    path: "machineConfig",
    schema: { type: "object", minProperties: 1, maxProperties: 1 },
    required: false,
    default: undefined,
    expected: "a mapping with either file or inline",
    fix: "write one of file: and inline:, or remove the field",
    help:
      "Machine configuration to embed in the image. Without it the machine waits for one. Whoever has the image can " +
      "read the secrets in it.",
    example: "machineConfig:\n  file: controlplane.yaml",
    since: "0.1",
  },
  {
    path: "machineConfig.file",
    schema: {
      type: "string",
      pattern: "^(?:\\./)?(?:(?!\\.\\.?(?:/|$))[^/\\\\\\x00-\\x1f\\x7f]+/)*(?!\\.\\.?$)[^/\\\\\\x00-\\x1f\\x7f]+$",
      maxLength: 1024,
    },
    required: false,
    default: undefined,
    expected: "a path below the folder of the profile, with / between its parts and without ..",
    fix: "put the file beside the profile, and write its relative path",
    help: "Path of a file, relative to the folder of the profile. The file holds at most 1MiB.",
    example: "machineConfig:\n  file: controlplane.yaml",
    since: "0.1",
  },
  {
    path: "machineConfig.inline",
    schema: { type: "string", minLength: 1 },
    required: false,
    default: undefined,
    expected: "the machine configuration as text",
    fix: "write it as a block of text after inline: |, or name a file instead",
    help: "The configuration itself. The whole profile holds at most 256KiB; a file may be larger.",
    example: "machineConfig:\n  inline: |\n    version: v1alpha1",
    since: "0.1",
  },
];

/** "a, b or c". */
function listWords(words: readonly string[], conjunction: "and" | "or"): string {
  if (words.length < 2) return words.join();
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words.at(-1) ?? ""}`;
}

function complainAboutArch(value: unknown): Complaint | undefined {
  if (typeof value !== "string") return undefined;
  if (model.PLANNED_ARCHES.includes(value)) return { fix: `write amd64; this release cannot build ${value} yet` };
  if (["x86_64", "x86-64", "x64"].includes(value))
    return { fix: "write amd64, the name of the same architecture here" };
  return undefined;
}
