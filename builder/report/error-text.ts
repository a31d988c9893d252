// SPDX-License-Identifier: Apache-2.0
// An error as text for people: where and what, the source line with a caret, what was expected, the remedy.
//   profiles/edge.yaml:14:15: disk.sectorSize: found 513
//     14 |   sectorSize: 513
//        |               ^
//     expected 512 or 4096 (bytes per logical sector)
//     fix: write 512, or remove the field to take the default
// Everything printed has passed plain-text.ts: errors quote files, archives and servers.
import { FactoryError, FactoryErrors, quote } from "../errors.ts";
import type { ErrorDetails } from "../errors.ts";
import { listCauses, stackOf } from "./causes.ts";
import { paint } from "./paint.ts";
import { cleanLine, cleanLines, displayWidth } from "./plain-text.ts";

/** Characters of a source line around the caret. */
const EXCERPT_BEFORE = 80;
const EXCERPT_MAX = 120;
/** A longer source line is not shown: nobody finds anything in it, and cleaning it takes time for each problem. */
const EXCERPT_SOURCE_MAX = 10_000;
const FOUND_MAX = 300;
const OUTPUT_MAX_LINES = 40;

/**
 * The whole text without a line break at its end. A FactoryErrors lists all its problems, in their order, and their
 * number. Anything that is not a FactoryError is a defect of the factory and is shown with its stack.
 */
export function renderError(error: unknown, options: { readonly color: boolean }): string {
  if (error instanceof FactoryErrors) {
    const problems = error.problems.map((problem) => renderError(problem, options));
    return problems.length === 1 ? problems.join() : [...problems, `${problems.length} problems`].join("\n\n");
  }
  if (error instanceof FactoryError && error.code !== "BUG") return renderProblem(error.details, options.color);
  return renderDefect(error, options.color);
}

function renderProblem(details: ErrorDetails, color: boolean): string {
  const lines = [
    paint(headline(details), "strong", color),
    ...excerpt(details, color),
    `  expected ${cleanLine(details.expected)}`,
    ...listCauses(details.cause).map((cause) => `  cause: ${cause}`),
    ...output(details.output, color),
    `  ${paint("fix:", "good", color)} ${cleanLine(details.fix)}`,
  ];
  return lines.join("\n");
}

/** `file:line:column: field: found X`, of what is known; the code alone when nothing is. */
function headline({ file, line, column, field, found, code }: ErrorDetails): string {
  const at = [file === undefined ? undefined : cleanLine(file), line, column].filter((part) => part !== undefined);
  const parts = [
    at.join(":"),
    field === undefined ? "" : cleanLine(field, FOUND_MAX),
    found === undefined ? "" : `found ${cleanLine(quote(found), FOUND_MAX)}`,
  ];
  return parts.filter((part) => part !== "").join(": ") || code;
}

function excerpt({ excerpt: source, line, column }: ErrorDetails, color: boolean): readonly string[] {
  if (source === undefined || source.trim() === "" || line === undefined || column === undefined) return [];
  if (source.length > EXCERPT_SOURCE_MAX) return [];
  // Cleaned as a whole: a window cut out first could hold a secret without the word before it that gives it away.
  const text = cleanLine(source, Infinity);
  const before = cleanLine(source.slice(0, column - 1), Infinity);
  const from = Math.max(0, before.length - EXCERPT_BEFORE);
  const gutter = String(line);
  const shown = `  ${paint(`${gutter} |`, "quiet", color)} ${text.slice(from, from + EXCERPT_MAX)}`;
  // A redacted or escaped line may no longer begin with what stood before the caret; then there is no place for it.
  if (!text.startsWith(before)) return [shown];
  const indent = " ".repeat(displayWidth(before.slice(from)));
  const under = `  ${paint(`${" ".repeat(gutter.length)} |`, "quiet", color)} ${indent}${paint("^", "bad", color)}`;
  return [shown, under];
}

/** The last lines of a child's output. */
function output(text: string | undefined, color: boolean): readonly string[] {
  if (text === undefined || text.trim() === "") return [];
  const lines = cleanLines(text).slice(-OUTPUT_MAX_LINES);
  return lines.map((line) => `  ${paint("|", "quiet", color)} ${line}`.trimEnd());
}

function renderDefect(error: unknown, color: boolean): string {
  const [first = "", ...frames] = cleanLines(stackOf(error));
  const lines = [
    paint(`BUG: ${first}`, "bad", color),
    ...frames,
    ...listCauses(error instanceof Error ? error.cause : undefined).map((cause) => `  cause: ${cause}`),
    `  ${paint("fix:", "good", color)} report this defect with the lines above`,
  ];
  return lines.join("\n");
}
