// SPDX-License-Identifier: Apache-2.0
// Reads JSON that may come from anybody. Stricter than JSON.parse: bounded size and nesting, UTF-8 only, and no member
// twice, since two readers that pick different ones of two would each see another statement under one signature.
// Spec: RFC 8259, with the restrictions of I-JSON (RFC 7493 sections 2.1 and 2.3).
import { FactoryError } from "../errors.ts";

/** The largest evidence file, in bytes: an SBOM of 20 000 components and its base64 within a bundle fit. */
export const EVIDENCE_MAX_BYTES: number = 64 << 20;
const DEEPEST = 64; // levels

export type JsonObject = Readonly<Record<string, unknown>>;

/** Throws EVIDENCE_INVALID that names `file`. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  const text = decode(bytes, file);
  const wrong = structureProblem(text);
  if (wrong !== undefined) throw invalidEvidence(file, "document", wrong.found, wrong.expected);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw invalidEvidence(file, "document", (error as Error).message, "JSON");
  }
}

/** The same for a document whose top level is an object. */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  const value = parseJson(bytes, file);
  if (isObject(value)) return value;
  throw invalidEvidence(file, "document", Array.isArray(value) ? "an array" : typeof value, "an object");
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a dotted path of members and list positions; undefined when there is none. */
export function memberAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, step) => {
    if (Array.isArray(at)) return (at as unknown[])[Number(step)];
    return isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }, value);
}

/** The error of this folder: `file` holds something that evidence must not hold. */
export function invalidEvidence(file: string, field: string, found: unknown, expected: string): FactoryError {
  const shown = typeof found === "string" && found.length > 200 ? `${found.slice(0, 200)}…` : found;
  const fix = "do not use the artifact; fetch it and its evidence again, or build it anew";
  return new FactoryError({ code: "EVIDENCE_INVALID", file, field, found: shown, expected, fix });
}

function decode(bytes: Uint8Array, file: string): string {
  if (bytes.length > EVIDENCE_MAX_BYTES)
    throw invalidEvidence(file, "size", bytes.length, `at most ${EVIDENCE_MAX_BYTES} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidEvidence(file, "document", "bytes that are no UTF-8", "UTF-8 text");
  }
}

interface Problem {
  readonly found: string;
  readonly expected: string;
}

/** Walks the brackets and strings of what may be JSON; JSON.parse judges the rest. Linear time, no recursion. */
function structureProblem(text: string): Problem | undefined {
  const open: (Set<string> | undefined)[] = []; // names seen, for each open object; undefined for an array
  let names: Set<string> | undefined; // of the object whose next string is a name
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "{" || character === "[") {
      names = character === "{" ? new Set() : undefined;
      open.push(names);
      if (open.length > DEEPEST) return { found: "deeper nesting", expected: `at most ${DEEPEST} levels` };
    } else if (character === "}" || character === "]") {
      open.pop();
      names = undefined;
    } else if (character === ",") {
      names = open.at(-1);
    } else if (character === '"') {
      const end = endOfString(text, i);
      const name = names === undefined ? undefined : unescaped(text.slice(i, end + 1));
      if (name !== undefined && names?.has(name) === true) return { found: name, expected: "each member once" };
      if (name !== undefined) names?.add(name);
      names = undefined;
      i = end;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

function unescaped(quoted: string): string | undefined {
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined; // JSON.parse will refuse the whole
  }
}
