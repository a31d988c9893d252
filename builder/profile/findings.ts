// SPDX-License-Identifier: Apache-2.0
// Holds plain data against the field table and lists everything that is wrong with it, in words. Where the data came
// from (a file, the command line) is not known here; problems.ts adds it.
import type { ErrorObject } from "ajv";
import type { Field, Rule } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { fieldNames, schemaErrors } from "./schema.ts";
import { suggestWord } from "./suggest.ts";
import type { Path } from "./yaml-source.ts";

/** One wrong value, or one wrong key. `field` is the dotted path that the error shows. */
export interface Finding {
  readonly path: Path;
  readonly part: "key" | "value";
  readonly field: string;
  readonly found?: unknown;
  readonly expected: string;
  readonly fix: string;
  /** For an unknown field: the field that was probably meant. */
  readonly meant?: string | undefined;
}

const ROOT_RULE: Rule = {
  schema: { type: "object" },
  expected: "a mapping of profile fields",
  fix: "start from profiles/metal.yaml",
};
const FOUND_MAX_CHARACTERS = 200;

/** In no particular order; empty when `value` is a profile. */
export function findProblems(value: unknown): readonly Finding[] {
  const findings = new Map<string, Finding>();
  for (const error of schemaErrors(value)) {
    for (const finding of explain(error, value)) addFirst(findings, finding);
  }
  for (const field of FIELDS) {
    for (const finding of checkField(field, value)) addFirst(findings, finding);
  }
  return withoutConsequences(findings);
}

/** `kernelArguments.add[2]`. */
export function fieldName(path: Path): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "");
}

/** The value at `path`, or undefined. Looks at own properties only, so "__proto__" in a profile finds nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    return (at as Record<string | number, unknown>)[step];
  }, value);
}

function addFirst(findings: Map<string, Finding>, finding: Finding): void {
  const key = `${finding.part} ${finding.field}`;
  if (!findings.has(key)) findings.set(key, finding);
}

function explain(error: ErrorObject, root: unknown): readonly Finding[] {
  const path = parsePointer(error.instancePath, root);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties":
      return [unknownField(path, String(params["additionalProperty"]))];
    case "required":
      return [missingField(path, String(params["missingProperty"]))];
    case "uniqueItems":
      return repeatedItems(path, valueAt(root, path));
    default:
      return [wrongValue(path, valueAt(root, path))];
  }
}

function unknownField(parent: Path, name: string): Finding {
  const known = fieldNames(fieldName(parent));
  const suggestion = suggestWord(name, known);
  const path = [...parent, name];
  const fix = suggestion === undefined ? "remove the field" : `did you mean ${suggestion}?`;
  const meant = suggestion === undefined ? undefined : fieldName([...parent, suggestion]);
  return { path, part: "key", field: fieldName(path), expected: `a known field: ${known.join(", ")}`, fix, meant };
}

function missingField(parent: Path, name: string): Finding {
  const path = [...parent, name];
  const rule = ruleOf(path);
  return {
    path,
    part: "value",
    field: fieldName(path),
    expected: `${rule.expected} (required, and not there)`,
    fix: rule.fix,
  };
}

function repeatedItems(path: Path, list: unknown): readonly Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<unknown>();
  for (const [index, item] of (Array.isArray(list) ? (list as unknown[]) : []).entries()) {
    if (seen.has(item)) {
      const at = [...path, index];
      const words = { expected: "each entry once", fix: "remove the repeated entry" };
      findings.push({ path: at, part: "value", field: fieldName(at), found: foundValue(item), ...words });
    }
    seen.add(item);
  }
  return findings;
}

function wrongValue(path: Path, value: unknown): Finding {
  const rule = ruleOf(path);
  const complaint = rule.check?.(value);
  const expected = complaint?.expected ?? rule.expected;
  const fix = complaint?.fix ?? suggestValue(rule, value) ?? rule.fix;
  return { path, part: "value", field: fieldName(path), found: foundValue(value), expected, fix };
}

function suggestValue(rule: Rule, value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const suggestion = suggestWord(value, rule.schema.enum?.map(String) ?? []);
  return suggestion === undefined ? undefined : `did you mean ${suggestion}?`;
}

/** What the schema cannot say. A value that the schema refuses is found here again, and kept once. */
function* checkField(field: Field, root: unknown): Generator<Finding> {
  const path = field.path.split(".");
  const value = valueAt(root, path);
  if (field.check?.(value) !== undefined) yield wrongValue(path, value);
  if (field.items?.check === undefined || !Array.isArray(value)) return;
  for (const [index, item] of value.entries()) {
    if (field.items.check(item) !== undefined) yield wrongValue([...path, index], item);
  }
}

/** A list of ten thousand entries is one mistake, and so is a required field that is there under a misspelt name. */
function withoutConsequences(findings: ReadonlyMap<string, Finding>): readonly Finding[] {
  const all = [...findings.values()];
  const misspelt = new Set(all.map(({ meant }) => meant).filter((meant) => meant !== undefined));
  return all.filter(({ path, field, found }) => {
    const isItem = typeof path.at(-1) === "number";
    if (isItem) return !findings.has(`value ${fieldName(path.slice(0, -1))}`);
    return found !== undefined || !misspelt.has(field);
  });
}

function ruleOf(path: Path): Rule {
  const last = path.at(-1);
  const isItem = typeof last === "number";
  const name = fieldName(isItem ? path.slice(0, -1) : path);
  const field = FIELDS.find((row) => row.path === name);
  return (isItem ? field?.items : field) ?? ROOT_RULE;
}

/** The value as errors show it: whole when it is short, else as the beginning of its JSON. */
function foundValue(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const json = JSON.stringify(value) ?? "";
  return json.length <= FOUND_MAX_CHARACTERS ? value : `${json.slice(0, FOUND_MAX_CHARACTERS)}…`;
}

/** Steps of a JSON Pointer; a step into a list becomes a number. */
function parsePointer(pointer: string, root: unknown): Path {
  const path: (string | number)[] = [];
  for (const raw of pointer.split("/").slice(1)) {
    const step = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(valueAt(root, path)) ? Number(step) : step);
  }
  return path;
}
