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
const SAME_SIGNAL_MS = 500;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const settings = readSettings();
  const json = args.includes("--json");
  const color = process.stderr.isTTY && !settings.noColor;
  const reporter = startReporter(json ? "json" : process.stderr.isTTY && !settings.isCi ? "tty" : "plain", color);
  const stop = new AbortController();
  listenForSignals(stop);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", endWithReader);
  const context: CommandContext = {
    settings,
    reporter,
    signal: stop.signal,
    print: (text, value) => void process.stdout.write(json ? eventLine(text, value) : text),
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

function eventLine(text: string, value: unknown): string {
  return `${JSON.stringify(value === undefined ? { event: "output", text } : { event: "result", value })}\n`;
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

/** Nobody reads what we write (`dodeka plan metal | head`), so there is nothing left to do and nobody to tell. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
}

/**
 * The first signal asks every step to clean up and end; the second ends at once. Ctrl-C reaches us twice, from the
 * terminal and from the launcher, so a second one within a moment is the same one.
 */
function listenForSignals(stop: AbortController): void {
  let firstMs = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!stop.signal.aborted) {
        firstMs = monotonicMs();
        stop.abort(cancelled());
      } else if (monotonicMs() - firstMs > SAME_SIGNAL_MS) process.exit(130);
    });
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
