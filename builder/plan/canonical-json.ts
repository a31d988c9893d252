// SPDX-License-Identifier: Apache-2.0
// Canonical JSON: one value, one text, so that a plan can be named by its SHA-256.
// Spec: RFC 8785 (JCS), restricted to whole numbers, since the factory has no use for fractions.
import { FactoryError } from "../errors.ts";

const DEEPEST = 64; // levels of nesting; a plan has about six

/**
 * Members sorted by UTF-16 code units, no white space. Accepts null, booleans, whole numbers within 2^53, strings, arrays
 * and plain objects. Throws BUG, naming the member, for undefined, fractions, lone surrogates, other objects, holes and
 * nesting beyond 64: a caller that has such a value has not parsed it.
 */
export function canonicalJson(value: unknown): string {
  return write(value, "$", 0);
}

function write(value: unknown, at: string, depth: number): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return writeString(value, at);
  if (typeof value === "number") return writeNumber(value, at);
  if (depth >= DEEPEST) throw refuse(at, "nesting", `at most ${DEEPEST} levels`);
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown, i) => write(item, `${at}[${i}]`, depth + 1)).join(",")}]`;
  }
  if (isPlainObject(value)) return writeObject(value, at, depth);
  throw refuse(at, typeof value, "null, a boolean, a whole number, a string, an array or a plain object");
}

function writeObject(object: Readonly<Record<string, unknown>>, at: string, depth: number): string {
  const members = Object.keys(object)
    .sort() // the default order is by UTF-16 code units, as RFC 8785 section 3.2.3 wants it
    .map((key) => `${writeString(key, at)}:${write(object[key], `${at}.${key}`, depth + 1)}`);
  return `{${members.join(",")}}`;
}

/** JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 asks for, lone surrogates apart. */
function writeString(text: string, at: string): string {
  if (!text.isWellFormed()) throw refuse(at, text, "well-formed Unicode");
  return JSON.stringify(text);
}

function writeNumber(value: number, at: string): string {
  if (!Number.isSafeInteger(value)) throw refuse(at, String(value), "a whole number within 2^53");
  return JSON.stringify(value); // -0 becomes 0
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0;
}

function refuse(at: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "BUG", field: `canonical JSON ${at}`, found, expected, fix: "report this defect" });
}
