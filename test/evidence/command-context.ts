// SPDX-License-Identifier: Apache-2.0
// What a command gets when a test runs it within this process.
import type { CommandContext } from "../../builder/commands/context.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { createReporter } from "../../builder/report/reporter.ts";

/** `report` gets the progress. */
export function contextFor(
  print: CommandContext["print"],
  env: Readonly<Record<string, string>> = {},
  report: (text: string) => void = () => undefined,
): CommandContext {
  const reporter = createReporter({
    kind: "plain",
    write: report,
    now: () => 0,
    columns: () => 80,
    color: false,
  });
  const signal = new AbortController().signal;
  return { settings: readSettings(env), reporter, signal, print, json: false, version: "0.1.0" };
}
