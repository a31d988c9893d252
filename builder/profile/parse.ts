// SPDX-License-Identifier: Apache-2.0
// YAML text -> Profile. Every problem of the text is reported at once, in source order, with line and column.
import { FactoryError, FactoryErrors } from "../errors.ts";
import { completeProfile } from "./complete.ts";
import { findProblems } from "./findings.ts";
import type { Profile } from "./model.ts";
import { positionAt } from "./position.ts";
import { readYaml } from "./yaml-source.ts";
import type { TextProblem, YamlSource } from "./yaml-source.ts";

/** More problems than this are counted, not listed: a file that is no profile at all can have thousands. */
export const MAX_PROBLEMS = 100;

/**
 * Parses a profile. `file` is the path as the user wrote it, for errors only; nothing is read.
 * Throws FactoryErrors, each of code PROFILE_INVALID with line and column.
 */
export function parseProfile(text: string, file: string): Profile {
  const source = readYaml(text);
  const problems = [...source.problems, ...valueProblems(source)].sort((a, b) => a.offset - b.offset);
  if (problems.length > 0) throw new FactoryErrors(toErrors(problems, text, file));
  return completeProfile(source.value);
}

/**
 * Gives an error that names a profile field the place of that field in the profile's text; any other error comes
 * back as it is. For errors of later stages, which know fields and no files: an ESP that is too small for its content.
 */
export function locateProblem(error: FactoryError, text: string, file: string): FactoryError {
  const { details } = error;
  if (details.field === undefined || details.line !== undefined) return error;
  const steps = details.field.split(/[.[\]]+/).filter((step) => step !== "");
  const path = steps.map((step) => (/^[0-9]+$/.test(step) ? Number(step) : step));
  const source = readYaml(text);
  const isWritten = source.offsetOf(path, "value") !== source.offsetOf(path.slice(0, -1), "value");
  if (source.problems.length > 0 || !isWritten) return error;
  return new FactoryError({ ...details, file, ...positionAt(text, source.offsetOf(path, "value")) });
}

function valueProblems(source: YamlSource): readonly TextProblem[] {
  if (source.problems.some((problem) => problem.fatal)) return [];
  return findProblems(source.value).map(({ path, part, ...words }) => {
    return { ...words, fatal: true, offset: source.offsetOf(path, part) };
  });
}

function toErrors(problems: readonly TextProblem[], text: string, file: string): readonly FactoryError[] {
  const listed = problems.slice(0, MAX_PROBLEMS).map((p) => toError(p, text, file));
  const rest = problems.length - listed.length;
  if (rest === 0) return listed;
  const expected = `no further problems; ${rest} are not listed`;
  const fix = "correct the problems above first";
  const last = problems[MAX_PROBLEMS]?.offset ?? 0;
  return [...listed, toError({ offset: last, expected, fix, fatal: true }, text, file)];
}

function toError(problem: TextProblem, text: string, file: string): FactoryError {
  const { field, found, expected, fix } = problem;
  return new FactoryError({
    code: "PROFILE_INVALID",
    file,
    ...positionAt(text, problem.offset),
    field: field === "" ? undefined : field,
    found,
    expected,
    fix,
  });
}
