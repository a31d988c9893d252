// SPDX-License-Identifier: Apache-2.0
// Exit codes, one table: from each error code to the number that scripts see. Numbers from 64 on follow sysexits.h.
import { FactoryError, FactoryErrors } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { renderTable } from "./markdown-table.ts";

/** What each exit code means. */
export const EXIT_MEANINGS = {
  0: "success",
  1: "the work itself failed: a compile step, a guest machine",
  2: "the command line is wrong",
  65: "input that is wrong: a profile, a lock file, a release, an image, a key, a policy",
  69: "something that is needed is not there: a release, a tool, an archived package, an image, required evidence",
  70: "a defect of the factory",
  73: "an output that cannot be created",
  74: "reading or writing failed: no space, a damaged store",
  75: "a failure that may pass: the network; try again",
  76: "the other side sent what it must not: a wrong digest or signature, evidence that does not hold, a hostile archive; do not try again",
  130: "interrupted by Ctrl-C or SIGTERM",
} as const;

export type ExitCode = keyof typeof EXIT_MEANINGS;

const EXIT_CODES: Readonly<Record<ErrorCode, ExitCode>> = {
  USAGE: 2,
  PROFILE_INVALID: 65,
  PLAN_IMPOSSIBLE: 65,
  LAYOUT_OVERFLOW: 65,
  LAYOUT_INVALID: 65,
  FORMAT_INVALID: 65,
  RELEASE_MISSING: 69,
  RELEASE_INVALID: 65,
  STORE_CORRUPT: 74,
  STORE_MISSING: 74,
  LOCK_INVALID: 65,
  LOCK_MISMATCH: 76,
  SOURCE_GONE: 69,
  SOURCE_UNTRUSTED: 76,
  NETWORK: 75,
  ARCHIVE_HOSTILE: 76,
  ACTION_FAILED: 1,
  HOST_UNFIT: 69,
  OUTPUT_UNWRITABLE: 73,
  DISK_FULL: 74,
  REGISTRY_REFUSED: 69,
  REGISTRY_INVALID: 76,
  EVIDENCE_MISSING: 69,
  EVIDENCE_INVALID: 76,
  KEY_INVALID: 65,
  POLICY_INVALID: 65,
  GUEST_FAILED: 1,
  CANCELLED: 130,
  BUG: 70,
};

/** The exit code of a command that ended in `error`. Of several problems the first decides; what is not ours is 70. */
export function exitCodeFor(error: unknown): ExitCode {
  return EXIT_CODES[errorCodeOf(error)];
}

/** The code of an error; BUG for whatever the factory did not throw on purpose. */
export function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof FactoryErrors) return error.problems[0]?.code ?? "BUG";
  return error instanceof FactoryError ? error.code : "BUG";
}

/** The table for the documentation: exit code, meaning, error codes. */
export function renderExitCodes(): string {
  const codes = Object.entries(EXIT_CODES);
  const rows = Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => {
    const names = codes.filter(([, number]) => String(number) === exit).map(([name]) => `\`${name}\``);
    return [exit, meaning, names.join(", ")];
  });
  return renderTable(["exit code", "meaning", "error codes"], rows);
}
