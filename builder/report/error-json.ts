// SPDX-License-Identifier: Apache-2.0
// An error as JSON for programs: what the text says, by field. Strings are cleaned as in the text.
import { FactoryError, FactoryErrors, quote } from "../errors.ts";
import type { ErrorCode, ErrorDetails } from "../errors.ts";
import { listCauses, stackOf } from "./causes.ts";
import { errorCodeOf, exitCodeFor } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { cleanLine, cleanLines } from "./plain-text.ts";

/** One problem. Absent properties are unknown; `line` and `column` count from 1. */
export interface ProblemJson {
  readonly code: ErrorCode;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly field?: string;
  /** A JSON scalar, or the JSON text of anything larger. */
  readonly found?: string | number | boolean | null;
  readonly expected: string;
  readonly fix: string;
  /** Lines of a child's output, or the stack of a defect. */
  readonly output?: readonly string[];
  /** Messages of what led to it, outermost first. */
  readonly causes?: readonly string[];
}

export interface ErrorJson {
  readonly code: ErrorCode;
  readonly exitCode: ExitCode;
  /** In source order; never empty. */
  readonly problems: readonly ProblemJson[];
}

export function errorToJson(error: unknown): ErrorJson {
  const problems = error instanceof FactoryErrors ? error.problems : [error];
  return { code: errorCodeOf(error), exitCode: exitCodeFor(error), problems: problems.map(problemToJson) };
}

function problemToJson(error: unknown): ProblemJson {
  if (error instanceof FactoryError && error.code !== "BUG") return detailsToJson(error.details);
  return {
    code: "BUG",
    expected: "no defect of the factory",
    fix: "report this defect with its output",
    output: cleanLines(stackOf(error)),
  };
}

function detailsToJson({
  code,
  file,
  line,
  column,
  field,
  found,
  expected,
  fix,
  output,
  cause,
}: ErrorDetails): ProblemJson {
  const causes = listCauses(cause);
  return {
    code,
    ...(file === undefined ? {} : { file: cleanLine(file) }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
    ...(field === undefined ? {} : { field: cleanLine(field) }),
    ...(found === undefined ? {} : { found: foundToJson(found) }),
    expected: cleanLine(expected),
    fix: cleanLine(fix),
    ...(output === undefined ? {} : { output: cleanLines(output) }),
    ...(causes.length === 0 ? {} : { causes }),
  };
}

function foundToJson(found: unknown): string | number | boolean | null {
  if (typeof found === "string") return cleanLine(found);
  if (typeof found === "boolean" || found === null) return found;
  if (typeof found === "number" && Number.isFinite(found)) return found;
  return cleanLine(quote(found));
}
