// SPDX-License-Identifier: Apache-2.0
// dodeka lock: refreshes the lock from the archive. The only command that chooses versions.
import { readFile } from "node:fs/promises";
import { findMirrors } from "../release/apt-config.ts";
import { fetchBytes } from "../host/fetch.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";
import { now } from "../host/clock.ts";
import { replaceFile } from "../host/partial-file.ts";
import { fileURLToPath } from "node:url";
import { FactoryError } from "../errors.ts";
import { LOCK_FILE, readLock, renderLock } from "../release/lock.ts";
import type { Lock } from "../release/lock.ts";
import { describeLockChange, refreshLock } from "../release/refresh-lock.ts";

export interface LockOptions {
  readonly keyring: string;
  /** Prints what would change and leaves the file alone. */
  readonly dryRun: boolean;
}

export async function runLock(context: CommandContext, options: LockOptions): CommandResult {
  const keyring = await readFile(options.keyring).catch((cause: unknown) => {
    throw noKeyring(options.keyring, cause);
  });
  const mirrors = await findMirrors(context.settings);
  const fresh = await asStep(context, "read and verify the archive", () =>
    refreshLock({
      keyring,
      nowSeconds: Math.floor(now() / 1000),
      fetchDocument: (archive, path, maxBytes) =>
        fetchBytes(`${mirrors[archive]}/${path}`, path, maxBytes, { signal: context.signal }),
    }),
  );
  const changes = describeLockChange(currentLock(), fresh);
  context.print(changes.length === 0 ? "the lock is up to date\n" : `${changes.join("\n")}\n`, { changes });
  if (options.dryRun || changes.length === 0) return undefined;
  await replaceFile(fileURLToPath(LOCK_FILE), renderLock(fresh));
  return undefined;
}

/** The lock as it is, or an empty one when it is missing or broken: refreshing must work then too. */
function currentLock(): Lock {
  try {
    return readLock();
  } catch {
    return { format: 1, epochSeconds: 0, suites: [], packages: [], groups: {} };
  }
}

function noKeyring(file: string, cause: unknown): FactoryError {
  return new FactoryError({
    code: "HOST_UNFIT",
    file,
    field: "--keyring",
    expected: "the archive's OpenPGP keys",
    fix: "install the package debian-archive-keyring, or give the file with --keyring",
    cause,
  });
}
