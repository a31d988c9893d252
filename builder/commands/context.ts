// SPDX-License-Identifier: Apache-2.0
// What every command gets: settings, a reporter, a signal that Ctrl-C raises, and where its result goes.
import type { Settings } from "../host/settings.ts";
import type { Store } from "../host/store.ts";
import { openStore } from "../host/store.ts";
import type { Reporter } from "../report/reporter.ts";

export interface CommandContext {
  readonly settings: Settings;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /**
   * Standard output: results only. Progress goes to standard error, unless `json` joins both into one stream of events;
   * there `value` is printed as {"event":"result","value":…}, and text without a value as {"event":"output","text":…}.
   */
  readonly print: (text: string, value?: unknown) => void;
  readonly json: boolean;
  /** Version of this factory and of the releases it compiles. */
  readonly version: string;
}

/** Where Debian installs the archive's OpenPGP keys. */
export const DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A command's `run` gives the exit code, for the few that have one of their own. */
export type CommandResult = Promise<number | undefined>;

export function contextStore(context: CommandContext): Promise<Store> {
  return openStore(context.settings.storeDir);
}

/** Runs `work` as one step of the reporter. */
export async function asStep<T>(context: CommandContext, name: string, work: () => Promise<T>): Promise<T> {
  const step = context.reporter.step(name);
  try {
    const result = await work();
    step.done();
    return result;
  } catch (error) {
    step.failed();
    throw error;
  }
}
