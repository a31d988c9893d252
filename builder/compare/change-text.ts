// SPDX-License-Identifier: Apache-2.0
// Changes as text for people: a heading for each section, one line for what came or went, three for what changed.
import type { Change } from "./changes.ts";
import { SECTIONS } from "./changes.ts";
import { showHidden } from "../report/plain-text.ts";

const MAX_LINES_A_SECTION = 200;

/** Ends in a line break; empty for no changes. Names come from images that may be anybody's: what is hidden in them shows. */
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
  if (before === undefined) return `  + ${showHidden(name)}: ${showHidden(after ?? "")}\n`;
  if (after === undefined) return `  - ${showHidden(name)}: ${showHidden(before)}\n`;
  const both = `${showHidden(before)} -> ${showHidden(after)}`;
  if (both.length <= 80) return `  ~ ${showHidden(name)}: ${both}\n`;
  return `  ~ ${showHidden(name)}\n      ${showHidden(before)}\n      ${showHidden(after)}\n`;
}
