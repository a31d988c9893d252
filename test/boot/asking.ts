// SPDX-License-Identifier: Apache-2.0
// Asks a machine until it answers what it must: the API answers while the machine is still becoming what it is told.
import type { StockClient } from "../os/stock-client.ts";

const API_MS = 120_000;
const ONE_MS = 30_000;
/** A call to a machine that is not up yet may hang. */
const FIRST_MS = 10_000;
const POLL_MS = 1000;

/** What `version` prints, as soon as the API answers. */
export function answered(client: StockClient): Promise<string> {
  return until(client, ["version"], (stdout) => stdout, FIRST_MS);
}

/** Repeats a command until it succeeds and shows what it must; returns what it printed. */
export async function eventually(client: StockClient, args: readonly string[], shows: RegExp): Promise<string> {
  return until(client, args, (stdout) => (shows.test(stdout) ? stdout : undefined));
}

/** Repeats a command until `read` finds in its output what it looks for. */
export async function until<T>(
  client: StockClient,
  args: readonly string[],
  read: (stdout: string) => T | undefined,
  timeoutMs: number = ONE_MS,
): Promise<T> {
  const deadline = performance.now() + API_MS;
  for (;;) {
    const { exitCode, stdout, stderr } = await client.run(args, { timeoutMs });
    const found = exitCode === 0 ? read(stdout) : undefined;
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new Error(`talosctl ${args.join(" ")} never showed it:\n${stderr}${stdout}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
