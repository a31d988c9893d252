// SPDX-License-Identifier: Apache-2.0
// What two builds may give differently: nothing. An entry would name a file, a reason and what must happen before it goes;
// one that no build needed fails the gate, so that the list cannot outlive its reasons.

export interface Exception {
  /** Whole file name of an output or of a document beside one. */
  readonly file: string;
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [];

export interface Judgement {
  /** Differences that no exception covers. */
  readonly unexcused: readonly Difference[];
  readonly used: readonly Exception[];
}

export interface Difference {
  readonly file: string;
  /** Where, for people. */
  readonly text: string;
}

export function judgeDifferences(found: readonly Difference[], exceptions: readonly Exception[]): Judgement {
  const used = exceptions.filter(({ file }) => found.some((difference) => difference.file === file));
  const excused = new Set(used.map(({ file }) => file));
  return { unexcused: found.filter(({ file }) => !excused.has(file)), used };
}

/** Entries that nothing needed, or that give no reason. */
export function uselessExceptions(
  exceptions: readonly Exception[],
  used: ReadonlySet<Exception>,
): readonly Exception[] {
  return exceptions.filter((exception) => !used.has(exception) || exception.reason.trim().length < 20);
}
