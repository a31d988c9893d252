// SPDX-License-Identifier: Apache-2.0
// The one error type of the factory. An error says where it happened (file, line, column, field),
// what was found, what was expected and what to do about it; builder/report/ renders all of them alike.

/** Closed list of error codes. Tests assert on codes; scripts may match on them in `--json` output. */
export type ErrorCode =
  | "USAGE" //               the command line is wrong
  | "PROFILE_INVALID" //     a profile field is unknown, of the wrong type, or impossible
  | "PLAN_IMPOSSIBLE" //     a valid profile that no layout can satisfy (for example an ESP below its content)
  | "LAYOUT_OVERFLOW" //     a value does not fit the format's field
  | "LAYOUT_INVALID" //      entries that the format cannot hold: duplicates, bad names, overlaps
  | "FORMAT_INVALID" //      bytes that a decoder refuses
  | "RELEASE_MISSING" //     no compiled release in the store
  | "RELEASE_INVALID" //     a release manifest that does not parse or lacks a part
  | "STORE_CORRUPT" //       a blob whose bytes do not match its name
  | "STORE_MISSING" //       a blob that is named but absent
  | "LOCK_INVALID" //        the lock file does not parse
  | "LOCK_MISMATCH" //       fetched bytes do not match the lock
  | "SOURCE_GONE" //         the archive no longer has a locked package
  | "SOURCE_UNTRUSTED" //    an archive signature that does not verify
  | "NETWORK" //             a host that does not answer
  | "ARCHIVE_HOSTILE" //     an archive entry that leaves its root, or is over a bound
  | "ACTION_FAILED" //       a compile step that exited with an error
  | "HOST_UNFIT" //          the host lacks something the factory needs
  | "OUTPUT_UNWRITABLE" //   a target directory or file that cannot be written
  | "DISK_FULL" //           no space left on the target or the store
  | "REGISTRY_REFUSED" //    a registry that lacks what is asked for, or does not let us
  | "REGISTRY_INVALID" //    an answer of a registry or file server that it must not give
  | "EVIDENCE_MISSING" //    evidence that a policy requires is not beside the artifact
  | "EVIDENCE_INVALID" //    evidence that does not verify, or is about something else
  | "KEY_INVALID" //         a key or its password cannot be used
  | "POLICY_INVALID" //      a trust policy that does not parse
  | "GUEST_FAILED" //        a machine under `dodeka run` that failed or timed out
  | "CANCELLED" //           Ctrl-C or SIGTERM
  | "BUG"; //                a broken invariant: always ours

export interface ErrorDetails {
  readonly code: ErrorCode;
  /** Path of the document or file the error is about, as the user wrote it. */
  readonly file?: string | undefined;
  /** 1-based. */
  readonly line?: number | undefined;
  /** 1-based, in UTF-16 code units. */
  readonly column?: number | undefined;
  /** The source line itself, for a caret under `column`. */
  readonly excerpt?: string | undefined;
  /** Dotted path of the field (`disk.sectorSize`), or the name of the thing. */
  readonly field?: string | undefined;
  readonly found?: unknown;
  readonly expected: string;
  /** The remedy: one imperative clause. */
  readonly fix: string;
  readonly cause?: unknown;
  /** Further output worth showing, such as the last lines of a child's stderr. */
  readonly output?: string | undefined;
}

/** The only error class that the factory throws on purpose. */
export class FactoryError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(details: ErrorDetails) {
    super(headline(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "FactoryError";
    this.code = details.code;
    this.details = details;
  }
}

/** Several problems of one document, in source order. `problems` is never empty. */
export class FactoryErrors extends Error {
  readonly problems: readonly FactoryError[];

  constructor(problems: readonly FactoryError[]) {
    super(problems.map((p) => p.message).join("\n"));
    this.name = "FactoryErrors";
    this.problems = problems;
  }
}

/** Reports a broken invariant: a defect of the factory, never of its input. */
export function bug(what: string): FactoryError {
  return new FactoryError({ code: "BUG", found: what, expected: "the invariant to hold", fix: "report this defect" });
}

/** One line: `file:line:column: field: found X, expected Y`. */
function headline(d: ErrorDetails): string {
  const at = [d.file, d.line, d.column].filter((p) => p !== undefined).join(":");
  const what = d.found === undefined ? "" : `found ${quote(d.found)}`;
  return [at, d.field, what, `expected ${d.expected}`].filter((p) => p !== undefined && p !== "").join(": ");
}

/** Strings quoted as JSON with control characters escaped; anything else as JSON. */
export function quote(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  return JSON.stringify(value) ?? String(value);
}
