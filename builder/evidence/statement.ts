// SPDX-License-Identifier: Apache-2.0
// in-toto statements: what is said (predicate) about which artifact (subject). Ours have exactly one subject, by SHA-256.
// Spec: in-toto attestation spec/v1/statement.md. Left out: several subjects, other digests; both are refused.
import { isDeepStrictEqual } from "node:util";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, memberAt, parseJsonObject } from "./json.ts";
import { PREDICATE_TYPES } from "./kinds.ts";
import type { StatementKind } from "./kinds.ts";

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
/** Type of a DSSE payload that is a statement. */
export const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** A file and what it holds. */
export interface Subject {
  /** File name without folders. */
  readonly name: string;
  readonly digest: Sha256;
}

export interface Statement {
  readonly subject: Subject;
  readonly predicateType: string;
  readonly predicate: JsonObject;
}

export function statementOf(kind: StatementKind, subject: Subject, predicate: JsonObject): Statement {
  return { subject, predicateType: PREDICATE_TYPES[kind], predicate };
}

/** Readable JSON, members in the order of writing: equal statements give equal bytes. */
export function renderStatement({ subject, predicateType, predicate }: Statement): string {
  const subjects = [{ name: subject.name, digest: { sha256: subject.digest } }];
  return `${JSON.stringify({ _type: STATEMENT_TYPE, subject: subjects, predicateType, predicate }, null, 2)}\n`;
}

/** Narrows a statement. Throws EVIDENCE_INVALID with the field that is wrong. */
export function parseStatement(bytes: Uint8Array, file: string): Statement {
  const value = parseJsonObject(bytes, file);
  const { _type, subject: subjects, predicateType, predicate } = value;
  const extra = Object.keys(value).find((name) => !["_type", "subject", "predicateType", "predicate"].includes(name));
  if (extra !== undefined) throw invalidEvidence(file, extra, "an unknown member", "the members of a v1 statement");
  if (_type !== STATEMENT_TYPE) throw invalidEvidence(file, "_type", _type, STATEMENT_TYPE);
  if (typeof predicateType !== "string") throw invalidEvidence(file, "predicateType", predicateType, "a URI");
  if (!isObject(predicate)) throw invalidEvidence(file, "predicate", typeof predicate, "an object");
  return { subject: parseSubject(subjects, file), predicateType, predicate };
}

/** Checks that a statement is of this kind and about this very file. Signature checks do not: a statement about another
 * file verifies just as well. */
export function expectStatement(statement: Statement, kind: StatementKind, digest: Sha256, file: string): void {
  const { predicateType, subject } = statement;
  const expected = PREDICATE_TYPES[kind];
  if (predicateType !== expected) throw invalidEvidence(file, "predicateType", predicateType, expected);
  if (subject.digest !== digest)
    throw invalidEvidence(file, "subject.0.digest.sha256", subject.digest, `${digest}, that of the artifact`);
}

function parseSubject(subjects: unknown, file: string): Subject {
  const count = Array.isArray(subjects) ? subjects.length : 0;
  if (count !== 1) throw invalidEvidence(file, "subject", `${count} subjects`, "exactly one");
  const name = memberAt(subjects, "0.name");
  const digest = memberAt(subjects, "0.digest.sha256");
  if (!isFileName(name)) throw invalidEvidence(file, "subject.0.name", name, "a file name without folders");
  if (typeof digest !== "string" || !isSha256(digest))
    throw invalidEvidence(file, "subject.0.digest.sha256", digest, "64 lower-case hexadecimal digits");
  const known = [{ name, digest: { sha256: digest } }];
  if (!isDeepStrictEqual(subjects, known))
    throw invalidEvidence(file, "subject.0", "further members", "name and digest.sha256 only");
  return { name, digest };
}

/** Names are shown and compared, never opened; still none may look like a path or hide what it says. */
export function isFileName(value: unknown): value is string {
  return typeof value === "string" && /^[0-9A-Za-z_][0-9A-Za-z._+~-]{0,199}$/.test(value);
}
