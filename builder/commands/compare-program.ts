// SPDX-License-Identifier: Apache-2.0
// The command line of comparing and looking: `diff`, `scan`, `reproduce`.
import type { Command } from "commander";
import type { CommandContext, CommandResult } from "./context.ts";

type Finish = (result: CommandResult) => Promise<void>;

export function addDiff(program: Command, context: CommandContext, finish: Finish): void {
  const command = program.command("diff").description("say what changed between two artifacts, releases or plans");
  const kinds = 'a file, a release\'s digest or "current", or a plan (.json)';
  command.argument("<a>", kinds).argument("<b>", "another of the same kind");
  command.addHelpText(
    "after",
    "\nExample:\n  dodeka diff old/metal-amd64.raw out/metal-amd64.raw\n\nExit code 1: they differ.",
  );
  command.action((a: string, b: string) => finish(import("./diff.ts").then((m) => m.runDiff(context, a, b))));
}
