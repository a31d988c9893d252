// SPDX-License-Identifier: Apache-2.0
// The kernel command line of an image: the factory's own arguments, the consoles, and the profile's changes.
// Rule: (base + consoles - remove) + add. Spec of the split into arguments: Linux lib/cmdline.c, next_arg().
import { FactoryError } from "../errors.ts";
import { argumentKey, COMMAND_LINE_MAX } from "./kernel-argument.ts";
import type { Profile } from "./model.ts";
import { suggestWord } from "./suggest.ts";

/**
 * The arguments in order, separated by one space, without a NUL. `base` holds the factory's own, one argument each.
 * A `remove` entry that matches nothing is PROFILE_INVALID and not a no-op: who removes an argument relies on its
 * absence, and a misspelt entry would leave it in place unseen. Throws PLAN_IMPOSSIBLE when the whole is longer than
 * COMMAND_LINE_MAX, because the kernel would cut it without a word.
 */
export function composeCommandLine(profile: Profile, base: readonly string[]): string {
  const { add, remove } = profile.kernelArguments;
  const ours = [...base, ...profile.console.map((device) => `console=${device}`)];
  for (const [index, entry] of remove.entries()) {
    if (!ours.some((argument) => matches(entry, argument))) throw nothingToRemove(index, entry, ours);
  }
  const kept = ours.filter((argument) => !remove.some((entry) => matches(entry, argument)));
  const line = [...kept, ...add].join(" ");
  if (line.length > COMMAND_LINE_MAX) throw tooLong(line.length);
  return line;
}

function matches(entry: string, argument: string): boolean {
  return entry.includes("=") ? entry === argument : argumentKey(entry) === argumentKey(argument);
}

function nothingToRemove(index: number, entry: string, ours: readonly string[]): FactoryError {
  const known = [...new Set(entry.includes("=") ? ours : ours.map((argument) => argument.split("=", 1).join()))];
  const suggestion = suggestWord(entry, known);
  return new FactoryError({
    code: "PROFILE_INVALID",
    field: `kernelArguments.remove[${index}]`,
    found: entry,
    expected: `an argument of the command line: ${ours.join(" ")}`,
    fix: suggestion === undefined ? "remove the entry" : `did you mean ${suggestion}?`,
  });
}

function tooLong(length: number): FactoryError {
  return new FactoryError({
    code: "PLAN_IMPOSSIBLE",
    field: "kernelArguments",
    found: length,
    expected: `at most ${COMMAND_LINE_MAX} characters of kernel command line`,
    fix: `remove arguments of ${length - COMMAND_LINE_MAX} characters together`,
  });
}
