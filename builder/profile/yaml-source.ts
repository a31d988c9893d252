// SPDX-License-Identifier: Apache-2.0
// Reads one YAML 1.2 document of the core schema into plain data that still knows where it stood.
// Left out on purpose, each refused with its position: anchors and aliases (they expand without bound), tags (they
// change types), directives (%YAML 1.1 turns "no" into false), further documents, keys that are not strings.
// Spec: yaml.org/spec/1.2.2, sections 5.1 (characters), 6.8 (directives), 6.9 (node properties), 9.2 (streams).
import { isAlias, isCollection, isMap, isNode, isScalar, parseDocument } from "yaml";
import type { Document, Node, YAMLMap } from "yaml";

/** Longest profile, in UTF-8 bytes. */
export const PROFILE_MAX_BYTES: number = 256 * 1024;
const MAX_DEPTH = 16;
const TOO_DEEP = { expected: `at most ${MAX_DEPTH} levels of nesting`, fix: "remove levels" };

export type Path = readonly (string | number)[];

/** Something wrong with the text at a UTF-16 offset. */
export interface TextProblem {
  readonly offset: number;
  readonly field?: string | undefined;
  readonly found?: unknown;
  readonly expected: string;
  readonly fix: string;
  /** Whether nothing can be said about the rest of the document. */
  readonly fatal: boolean;
}

export interface YamlSource {
  readonly problems: readonly TextProblem[];
  /** Undefined when a problem is fatal. */
  readonly value: unknown;
  /** UTF-16 offset of the value at `path`, or of the nearest value around it; of the key of that value on demand. */
  readonly offsetOf: (path: Path, part: "key" | "value") => number;
}

/** Never throws: what is wrong stands in `problems`, in source order. */
export function readYaml(text: string): YamlSource {
  const unreadable = characterProblem(text);
  if (unreadable !== undefined) return { problems: [unreadable], value: undefined, offsetOf: () => 0 };
  // uniqueKeys is off because the library compares each key with each other; nodeProblems does it in linear time.
  const options = { version: "1.2", schema: "core", uniqueKeys: false, stringKeys: true, logLevel: "error" } as const;
  const document = parseDocument(text, { ...options, prettyErrors: false });
  const syntax = [...directiveProblems(text, document), ...syntaxProblems(text, document)];
  const nodes = syntax.length > 0 ? [] : [...nodeProblems(document.contents, 0)];
  const problems = [...syntax, ...nodes].sort((a, b) => a.offset - b.offset);
  if (problems.some((problem) => problem.fatal)) return { problems, value: undefined, offsetOf: () => 0 };
  const index = indexOffsets(document.contents);
  return {
    problems,
    value: document.toJS({ maxAliasCount: 0 }),
    offsetOf: (path, part) => offsetIn(index, path, part),
  };
}

/** Text that no profile has a reason to hold, among it characters that make it read otherwise than it is. */
function characterProblem(text: string): TextProblem | undefined {
  if (Buffer.byteLength(text) > PROFILE_MAX_BYTES) {
    const fix = "move the machine configuration to a file of its own";
    return { offset: 0, expected: `a profile of at most ${PROFILE_MAX_BYTES / 1024} KiB`, fix, fatal: true };
  }
  // Control characters, bidirectional controls, byte order marks, undecodable bytes, halves of surrogate pairs.
  const hostile = /(?![\t\n\r])[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd-\uffff]/u;
  const match = hostile.exec(text);
  if (match === null) return undefined;
  return {
    offset: match.index,
    found: codePointName(match[0]),
    expected: "UTF-8 text without control characters and without a byte order mark",
    fix: "remove the character; in quoted YAML text it can be written as an escape",
    fatal: true,
  };
}

function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function directiveProblems(text: string, document: Document.Parsed): readonly TextProblem[] {
  const { yaml, tags } = document.directives;
  if (yaml.explicit !== true && Object.keys(tags).length === 1) return [];
  const offset = Math.max(0, text.search(/^%/m));
  const expected = "a document without YAML directives";
  return [{ offset, found: tokenAt(text, offset), expected, fix: "remove the line", fatal: true }];
}

/** What the YAML library refuses, the first of each line: the later ones are mostly consequences. */
function syntaxProblems(text: string, document: Document.Parsed): readonly TextProblem[] {
  // Where the library gives up on depth hangs on the stack that is left, so the place would differ from run to run.
  const tooDeep = document.errors.some(({ code }) => code === "RESOURCE_EXHAUSTION");
  if (tooDeep) return [{ offset: 0, ...TOO_DEEP, fatal: true }];
  const problems: TextProblem[] = [];
  let lineEnd = -1;
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const { code, message, pos } of errors) {
    if (pos[0] <= lineEnd) continue;
    const nextBreak = text.indexOf("\n", pos[0]);
    lineEnd = nextBreak === -1 ? text.length : nextBreak;
    problems.push({ offset: pos[0], found: tokenAt(text, pos[0]), ...syntaxWords(code, message), fatal: true });
  }
  return problems;
}

function syntaxWords(code: string, message: string): { readonly expected: string; readonly fix: string } {
  switch (code) {
    case "TAB_AS_INDENT":
      return { expected: "spaces for indentation", fix: "replace each tab by spaces" };
    case "MULTIPLE_DOCS":
      return { expected: "one YAML document", fix: "keep one profile in each file" };
    case "NON_STRING_KEY":
      return { expected: "a field name that is a string", fix: "correct the name of the field" };
    default:
      return { expected: `valid YAML (${message.split("\n", 1).join()})`, fix: "correct the YAML at this place" };
  }
}

/** Up to 40 characters of the line from `offset`, or undefined at its end. */
function tokenAt(text: string, offset: number): string | undefined {
  const token = /^[^\r\n]{1,40}/.exec(text.slice(offset, offset + 40))?.[0].trimEnd();
  return token === "" ? undefined : token;
}

function* nodeProblems(node: Node | null, depth: number): Generator<TextProblem> {
  if (node === null) return;
  const offset = node.range?.[0] ?? 0;
  if (isAlias(node)) {
    const fix = "write the value itself";
    yield { offset, found: `*${node.source}`, expected: "no YAML aliases", fix, fatal: true };
    return;
  }
  const { anchor, tag } = node as { anchor?: string; tag?: string };
  if (anchor !== undefined) {
    yield { offset, found: `&${anchor}`, expected: "no YAML anchors", fix: "remove the anchor", fatal: false };
  }
  if (tag !== undefined) {
    yield { offset, found: tag, expected: "no YAML tags", fix: "remove the tag", fatal: true };
  }
  if (!isCollection(node)) return;
  if (depth === MAX_DEPTH) {
    yield { offset, ...TOO_DEEP, fatal: true };
    return;
  }
  if (isMap(node)) yield* mapProblems(node, depth);
  else for (const item of node.items) if (isNode(item)) yield* nodeProblems(item, depth + 1);
}

function* mapProblems(map: YAMLMap, depth: number): Generator<TextProblem> {
  const seen = new Set<string>();
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue; // stringKeys has refused it
    const name = String(key.value);
    if (seen.has(name)) {
      const fix = "keep one of the two";
      yield { offset: key.range?.[0] ?? 0, field: name, expected: "each field once", fix, fatal: false };
    }
    seen.add(name);
    yield* nodeProblems(key, depth + 1);
    if (isNode(value)) yield* nodeProblems(value, depth + 1);
  }
}

/** Offset of the value at `path`, or of the nearest value around it that exists. */
function offsetIn(index: ReadonlyMap<string, number>, path: Path, part: "key" | "value"): number {
  const own = index.get(indexKey(path, part));
  if (own !== undefined) return own;
  return path.length === 0 ? 0 : offsetIn(index, path.slice(0, -1), "value");
}

/** Where everything stands. Of a repeated key the last counts, as it does for the value. */
function indexOffsets(root: Node | null): ReadonlyMap<string, number> {
  const index = new Map<string, number>();
  const visit = (node: unknown, path: Path): void => {
    if (!isNode(node)) return;
    index.set(indexKey(path, "value"), node.range?.[0] ?? 0);
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        if (!isScalar(key)) continue;
        const child = [...path, String(key.value)];
        index.set(indexKey(child, "key"), key.range?.[0] ?? 0);
        visit(value, child);
      }
    } else if (isCollection(node)) {
      for (const [at, item] of node.items.entries()) visit(item, [...path, at]);
    }
  };
  visit(root, []);
  return index;
}

function indexKey(path: Path, part: "key" | "value"): string {
  return `${part} ${JSON.stringify(path)}`;
}
