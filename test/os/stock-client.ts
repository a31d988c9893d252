// SPDX-License-Identifier: Apache-2.0
// Runs the stock talosctl as a user would: a process with a configuration file, its output, and its exit code.
import { join } from "node:path";
import { execa } from "execa";

export interface ClientResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClientOptions {
  /** Kills the process after so many milliseconds. */
  readonly timeoutMs?: number;
  /** Ends the process once its output matches: how a stream that never ends is read. */
  readonly until?: RegExp;
  readonly input?: string;
}

export interface StockClient {
  /** Runs a command of talosctl; never throws for its exit code. */
  readonly run: (args: readonly string[], options?: ClientOptions) => Promise<ClientResult>;
  /** Runs a command that must succeed, and returns what it printed. */
  readonly ok: (args: readonly string[], options?: ClientOptions) => Promise<string>;
}

const DEADLINE_MS = 120_000;

/** A client whose files lie in `home`. `common` precedes every command's arguments. */
export function stockClient(program: string, home: string, common: readonly string[] = []): StockClient {
  const run = async (args: readonly string[], options: ClientOptions = {}): Promise<ClientResult> => {
    const running = execa(program, [...args, ...common], {
      cwd: home,
      extendEnv: false,
      env: { HOME: home, TALOSCONFIG: join(home, "no-talosconfig") },
      reject: false,
      timeout: options.timeoutMs ?? DEADLINE_MS,
      stripFinalNewline: false,
      ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    });
    let seen = "";
    running.stdout.on("data", (chunk: Buffer) => {
      seen += chunk.toString("utf8");
      if (options.until?.test(seen) === true) running.kill("SIGTERM");
    });
    const child = await running;
    return { exitCode: child.exitCode ?? 128, stdout: child.stdout, stderr: child.stderr };
  };
  const ok = async (args: readonly string[], options?: ClientOptions): Promise<string> => {
    const result = await run(args, options);
    if (result.exitCode === 0) return result.stdout;
    throw new Error(`talosctl ${args.join(" ")}: exit code ${result.exitCode}\n${result.stderr}${result.stdout}`);
  };
  return { run, ok };
}
