// SPDX-License-Identifier: Apache-2.0
// The command line of comparing and looking: `diff`, `scan`, `reproduce`.
import { Option } from "commander";
import type { Command } from "commander";
import type { CommandContext, CommandResult } from "./context.ts";
import { addSigningOptions, signingOptions } from "./evidence-program.ts";
import { FactoryError } from "../errors.ts";
import { FAIL_ON, SCAN_FORMATS } from "../scan/scan-result.ts";

type Values = Readonly<Record<string, unknown>>;
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

export function addScan(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command("scan")
    .argument("<artifact|sbom>", "an artifact with its SBOM beside it, or an SBOM");
  command.description("list known vulnerabilities, from an OSV database, offline");
  command.requiredOption("--db <path>", "OSV database: a directory, a ZIP archive (all.zip) or a JSON file");
  command.option("--vex <file...>", "OpenVEX statements besides those in sbom/vex");
  command.addOption(new Option("--format <format>", "what to print").choices(SCAN_FORMATS).default("table"));
  const failOn = new Option(
    "--fail-on <severity>",
    "exit with 1 for open findings at least so bad, or of unknown severity",
  );
  command.addOption(failOn.choices(FAIL_ON).default("any"));
  command.addHelpText("after", "\nExample:\n  dodeka scan out/metal-amd64.iso --db osv/all.zip --fail-on high");
  command.action((target: string, values: Values) =>
    finish(
      import("./scan.ts").then((m) =>
        m.runScan(context, {
          target,
          database: String(values["db"]),
          vex: (values["vex"] as string[] | undefined) ?? [],
          format: values["format"] as (typeof SCAN_FORMATS)[number],
          failOn: values["failOn"] as (typeof FAIL_ON)[number],
        }),
      ),
    ),
  );
}

export function addReproduce(program: Command, context: CommandContext, finish: Finish): void {
  const command = program.command("reproduce").argument("<file>", "an artifact");
  command.description("build an artifact again from its provenance, and compare");
  command.option("--provenance <file>", "its provenance (default: <file>.provenance.json)");
  command.option("--assemble-only", "take the compiled release from the store: quick, and proves less", false);
  command.option("--except <step...>", "take the results of these compile steps from the store, such as kubelet");
  command.option("--any-checkout", "go on although sources or locks are not those of the provenance", false);
  command.option("--attest", "sign a statement that the rebuild was equal", false);
  addSigningOptions(command);
  command.addHelpText("after", "\nExample:\n  dodeka reproduce out/metal-amd64.iso --attest --sign-key rebuilder.key");
  command.action((file: string, values: Values) =>
    finish(
      import("./reproduce.ts").then((m) =>
        m.runReproduce(context, {
          file,
          provenance: values["provenance"] as string | undefined,
          scope: values["assembleOnly"] === true ? "assembly" : "everything",
          except: exceptedSteps(values),
          anyCheckout: values["anyCheckout"] === true,
          attest: attestOptions(values),
        }),
      ),
    ),
  );
}

/** A statement that something was rebuilt must not leave a part out. */
function exceptedSteps(values: Values): readonly string[] {
  const steps = (values["except"] as readonly string[] | undefined) ?? [];
  const clash = ["attest", "assembleOnly"].find((name) => values[name] === true);
  if (steps.length === 0 || clash === undefined) return steps;
  throw new FactoryError({
    code: "USAGE",
    field: "--except",
    found: `--except with --${clash === "attest" ? "attest" : "assemble-only"}`,
    expected: "one of the two",
    fix: "leave one of the options out",
  });
}

/** A key without --attest, or the other way round, is a mistake. */
function attestOptions(values: Values): ReturnType<typeof signingOptions> {
  const signing = signingOptions(values);
  if ((values["attest"] === true) === (signing !== undefined)) return signing;
  throw new FactoryError({
    code: "USAGE",
    field: "--attest",
    found: signing === undefined ? "no key" : "a key without --attest",
    expected: "--attest together with --sign-key, or with --identity-token-file and --fulcio-url",
    fix: "correct the options",
  });
}
