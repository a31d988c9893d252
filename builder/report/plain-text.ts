// SPDX-License-Identifier: Apache-2.0
// Makes text from outside (file names, child output, archive entries) safe to print: no escape sequences that drive
// the terminal, no characters that hide or reorder others, no credentials.
// Spec: ECMA-48 (control sequences), Unicode UAX #9 (bidirectional controls), UAX #11 (East Asian width).
import { inspect, stripVTControlCharacters } from "node:util";
import { redactCredentials } from "./redact.ts";

/** Controls, format characters (bidirectional ones, zero widths), halves of surrogate pairs, line separators. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const HIDDEN_BUT_BREAKS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * One line of printable text, at most `maxCharacters` long with a note of what is left out. Escape sequences go
 * without a trace; any other hidden character shows as `\u{202e}`, because it may be the very mistake.
 */
export function cleanLine(text: string, maxCharacters: number = 1000): string {
  const safe = showHidden(redactCredentials(stripVTControlCharacters(text)).replaceAll("\t", " "));
  if (safe.length <= maxCharacters) return safe;
  return `${safe.slice(0, maxCharacters)}… (${safe.length - maxCharacters} more characters)`;
}

/** The same for text of several lines; line breaks stay. */
export function cleanLines(text: string): readonly string[] {
  const plain = stripVTControlCharacters(text).replaceAll("\r\n", "\n").replaceAll("\t", "  ");
  return redactCredentials(plain).replace(HIDDEN_BUT_BREAKS, showCodePoint).replace(/\n+$/, "").split("\n");
}

/** All of the text, its hidden characters as `\u{1b}`: nothing in it can move a terminal's cursor. */
export function showHidden(text: string): string {
  return text.replace(HIDDEN, showCodePoint);
}

/** The message of whatever was thrown, as one clean line. */
export function errorMessage(error: unknown): string {
  return cleanLine((error instanceof Error ? error.message : inspect(error)).replaceAll("\n", "; "));
}

/** Terminal columns of clean text: 2 for wide East Asian characters and pictographs, 0 for combining marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The longest beginning of `text` that fits in `columns`, ending in "…" when something is cut. */
export function fitWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let fitted = "";
  let width = 1;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns) break;
    fitted += character;
  }
  return columns < 1 ? "" : `${fitted}…`;
}

function characterWidth(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  if (/[\u1100-\u115f\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u.test(character)) return 2;
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u.test(
    character,
  )
    ? 2
    : 1;
}

function showCodePoint(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
