// SPDX-License-Identifier: Apache-2.0
// One kernel argument: `key` or `key=value`, where a value with spaces stands in double quotes.
// Spec: Linux Documentation/admin-guide/kernel-parameters.rst and lib/cmdline.c, next_arg(). The kernel also accepts
// quotes in other places ("key=value" as a whole, or inside a key); those spellings are refused, because they let one
// argument look like another, and some readers of /proc/cmdline strip quotes that the kernel keeps.
import type { Complaint } from "./field.ts";

/** Longest command line in characters: x86 COMMAND_LINE_SIZE is 2048 with its NUL (asm/setup.h); arm64 has the same. */
export const COMMAND_LINE_MAX = 2047;

const KEY = "[A-Za-z0-9_][A-Za-z0-9_.,:/@+-]*";
/** Printable ASCII without the quote; bare values also without the space. */
const VALUE = '(?:[!#-~]*|"[ !#-~]*")';

export const ARGUMENT_PATTERN: string = `^${KEY}(?:=${VALUE})?$`;

/** `keyvalue` is what follows `console=`: a device with options, such as ttyS0,115200n8. */
export const CONSOLE_PATTERN = "^[A-Za-z][A-Za-z0-9]{0,15}(?:,[A-Za-z0-9.,:/-]{1,64})?$";

interface OwnedKey {
  readonly key: string;
  /** True when every key that begins with `key` belongs to the factory. */
  readonly prefix: boolean;
  readonly why: string;
}

/**
 * Keys that only the factory sets. A profile that could set or remove one could boot a root file system that the
 * signed UKI does not vouch for, or start something other than stage1.
 */
export const OWNED_KEYS: readonly OwnedKey[] = [
  { key: "dodeka.root", prefix: true, why: "it is the trust anchor: the root image's name and hash" },
  { key: "dodeka.extension", prefix: true, why: "it carries the root hashes of the extensions" },
  { key: "init", prefix: false, why: "stage1 decides what runs as PID 1" },
  { key: "rdinit", prefix: false, why: "stage1 is /init of the initramfs" },
  { key: "root", prefix: false, why: "stage1 mounts the root image that it has verified" },
  { key: "initrd", prefix: false, why: "the UKI carries the initramfs" },
  { key: "noinitrd", prefix: false, why: "the OS starts from its initramfs" },
];

/** The key by which the kernel compares: before "=", with "-" read as "_" (kernel/params.c, dash2underscore). */
export function argumentKey(argument: string): string {
  return (argument.split("=", 1)[0] ?? "").replaceAll("-", "_");
}

/** What is wrong with an argument that a profile adds or removes; undefined when nothing is. */
export function complainAboutArgument(argument: unknown): Complaint | undefined {
  if (typeof argument !== "string") return undefined;
  if (new RegExp(ARGUMENT_PATTERN).test(argument)) return complainAboutOwner(argument);
  if (argument === "") return { fix: "write an argument, or remove the empty entry" };
  if (argument.startsWith("-")) return complainAboutDash(argument);
  if (/[^\x20-\x7e]/.test(argument)) return { fix: "use printable ASCII only, without line breaks" };
  if (/^[^" =]+=[^"]* /.test(argument)) return { fix: complainAboutSpace(argument) };
  if (/^[^"]* /.test(argument)) return { fix: "write one argument in each entry of the list" };
  if (argument.includes('"')) return { fix: 'put quotes only around a whole value: key="some words"' };
  return undefined;
}

function complainAboutDash(argument: string): Complaint {
  if (/^--?$/.test(argument)) return { fix: "remove it; what follows it would reach /init and not the kernel" };
  return { fix: `write ${JSON.stringify(argument.replace(/^-+/, ""))} in kernelArguments.remove to take it away` };
}

function complainAboutSpace(argument: string): string {
  const equals = argument.indexOf("=");
  const quoted = `${argument.slice(0, equals)}="${argument.slice(equals + 1)}"`;
  return `write one argument in each entry of the list, or quote the value: ${quoted}`;
}

function complainAboutOwner(argument: string): Complaint | undefined {
  const key = argumentKey(argument);
  const owner = OWNED_KEYS.find((owned) => (owned.prefix ? key.startsWith(owned.key) : key === owned.key));
  if (owner === undefined) return undefined;
  return { expected: "an argument that the factory does not set itself", fix: `remove it; ${owner.why}` };
}
