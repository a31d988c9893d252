// SPDX-License-Identifier: Apache-2.0
// The clock, for progress and for the age of left-overs. Nothing that reads it may lead to an output.

/** Milliseconds since 1970. */
export function now(): number {
  return Date.now();
}

/** Milliseconds of a clock that never goes back. */
export function monotonicMs(): number {
  return performance.now();
}
