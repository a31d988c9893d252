// SPDX-License-Identifier: Apache-2.0
// Where in a text something stands, as errors show it.

/** 1-based; `column` counts UTF-16 code units. `excerpt` is the whole line without its line break. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly excerpt: string;
}

/** The position of a UTF-16 offset; an offset past the end counts as the end. */
export function positionAt(text: string, offset: number): Position {
  const at = Math.min(offset, text.length);
  const lineStart = at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
  const nextBreak = text.indexOf("\n", lineStart);
  const excerpt = text.slice(lineStart, nextBreak === -1 ? text.length : nextBreak).replace(/\r$/, "");
  return { line: countBreaks(text, lineStart) + 1, column: at - lineStart + 1, excerpt };
}

function countBreaks(text: string, end: number): number {
  let breaks = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) breaks++;
  return breaks;
}
