// SPDX-License-Identifier: Apache-2.0
// Changes as text for people: a heading for each section, one line for what came or went, three for what changed.
import type { Change } from "./changes.ts";
import { SECTIONS } from "./changes.ts";

const MAX_LINES_A_SECTION = 200;

/** Ends in a line break; empty for no changes. Control characters of names are escaped. */
export function renderChanges(changes: readonly Change[]): string {
  return SECTIONS.map((section) => {
    const own = changes.filter((c) => c.section === section);
    if (own.length === 0) return "";
    const shown = own.slice(0, MAX_LINES_A_SECTION).map(renderChange);
    const rest = own.length > shown.length ? [`  … and ${own.length - shown.length} more (--json shows all)\n`] : [];
    return `${section} (${own.length})\n${[...shown, ...rest].join("")}`;
  }).join("");
}

function renderChange({ name, before, after }: Change): string {
  if (before === undefined) return `  + ${plain(name)}: ${plain(after ?? "")}\n`;
  if (after === undefined) return `  - ${plain(name)}: ${plain(before)}\n`;
  const both = `${plain(before)} -> ${plain(after)}`;
  if (both.length <= 80) return `  ~ ${plain(name)}: ${both}\n`;
  return `  ~ ${plain(name)}\n      ${plain(before)}\n      ${plain(after)}\n`;
}

/** Names come from images that may be anybody's: nothing in them may move a terminal's cursor. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}
