// SPDX-License-Identifier: Apache-2.0
// The few colours of the command line, by meaning. Spec: ECMA-48, section 8.3.117 (SGR).

export type Meaning = "strong" | "quiet" | "good" | "reused" | "bad";

const CODES: Readonly<Record<Meaning, number>> = { strong: 1, quiet: 2, good: 32, reused: 36, bad: 31 };

/** `text` in the colour of its meaning, or as it is when there is no colour or no text. */
export function paint(text: string, meaning: Meaning, color: boolean): string {
  return color && text !== "" ? `\u001b[${CODES[meaning]}m${text}\u001b[0m` : text;
}
