// SPDX-License-Identifier: Apache-2.0
// argv -> command -> exit code. The only place that exits, and that knows about the terminal.
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { createProgram } from "./commands/program.ts";
import type { CommandContext } from "./commands/context.ts";
import { FactoryError } from "./errors.ts";
import { monotonicMs } from "./host/clock.ts";
import { cancelled } from "./host/sandbox.ts";
import { readSettings } from "./host/settings.ts";
import { renderError } from "./report/error-text.ts";
import { exitCodeFor } from "./report/exit-code.ts";
import { createReporter } from "./report/reporter.ts";
import type { Reporter, ReporterKind } from "./report/reporter.ts";

const TICK_MS = 120;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const settings = readSettings();
  const json = args.includes("--json");
  const color = process.stderr.isTTY && !settings.noColor;
  const reporter = startReporter(json ? "json" : process.stderr.isTTY && !settings.isCi ? "tty" : "plain", color);
  const stop = new AbortController();
  listenForSignals(stop);
  const context: CommandContext = {
    settings,
    reporter,
    signal: stop.signal,
    print: (text) => void process.stdout.write(text),
    json,
    version: packageVersion(),
  };
  const timer = setInterval(() => reporter.tick(), TICK_MS);
  try {
    const program = createProgram(context);
    await program.parseAsync(args, { from: "user" });
    return program.result() ?? 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = stop.signal.aborted && !(thrown instanceof FactoryError) ? cancelled() : thrown;
    if (json) reporter.problem(error);
    reporter.close();
    if (!json) process.stderr.write(`${renderError(error, { color })}\n`);
    return exitCodeFor(error);
  } finally {
    clearInterval(timer);
    reporter.close();
  }
}

function startReporter(kind: ReporterKind, color: boolean): Reporter {
  const stream = kind === "json" ? process.stdout : process.stderr;
  return createReporter({
    kind,
    write: (text) => void stream.write(text),
    now: monotonicMs,
    columns: () => process.stderr.columns,
    color,
  });
}

/** The first signal asks every step to clean up and end; the second ends at once. */
function listenForSignals(stop: AbortController): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(130);
      stop.abort(cancelled());
    });
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
