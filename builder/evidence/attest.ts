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
      return Buffer.from(renderStatement(statementOf(kind, subject, parseJsonObject(document, file))));
    case "provenance":
    case "boot-test":
      expectStatement(parseStatement(document, file), kind, subject.digest, file);
      return document;
    default:
      return kind satisfies never;
  }
}
