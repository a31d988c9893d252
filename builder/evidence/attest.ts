// SPDX-License-Identifier: Apache-2.0
// The bytes that an attestation signs: a statement around an SBOM, or the statement that lies there to be read.
import { parseJsonObject } from "./json.ts";
import type { StatementKind } from "./kinds.ts";
import type { Subject } from "./statement.ts";
import { expectStatement, parseStatement, renderStatement, statementOf } from "./statement.ts";

/**
 * `document` is the readable file of this kind. Throws EVIDENCE_INVALID when it is about another file, so that nothing is
 * signed unread.
 */
export function statementBytes(kind: StatementKind, subject: Subject, document: Uint8Array, file: string): Uint8Array {
  switch (kind) {
    case "cdx":
    case "spdx":
      return aroundSbom(kind, subject, document, file);
    case "provenance":
    case "boot-test":
      expectStatement(parseStatement(document, file), kind, subject.digest, file);
      return document;
    default:
      return kind satisfies never;
  }
}

/** The SBOM's own text as predicate: it is a megabyte, and parsing and writing it again costs more than signing does. */
function aroundSbom(kind: "cdx" | "spdx", subject: Subject, document: Uint8Array, file: string): Uint8Array {
  parseJsonObject(document, file); // so that the text is one JSON object and cannot close the statement
  const frame = renderStatement(statementOf(kind, subject, {}));
  const hole = frame.lastIndexOf("{}");
  return Buffer.concat([Buffer.from(frame.slice(0, hole)), document, Buffer.from(frame.slice(hole + 2))]);
}
