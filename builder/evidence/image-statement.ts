// SPDX-License-Identifier: Apache-2.0
// Statements about images in registries. Read less strictly than those beside files: cosign writes them too, with the
// older type of statement, and names subjects by repository. What counts is the digest of the one subject.
// Spec: in-toto attestation spec/v1/statement.md and spec/v0.1.0; sigstore/cosign specs/BUNDLE_SPEC.md.
import type { Sha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, memberAt, parseJsonObject } from "./json.ts";
import type { CheckKind, StatementKind } from "./kinds.ts";
import { PREDICATE_TYPES, STATEMENT_KINDS } from "./kinds.ts";
import { STATEMENT_TYPE } from "./statement.ts";

/** The predicate of a statement that says no more than "signed". */
export const IMAGE_SIGNATURE_TYPE = "https://sigstore.dev/cosign/sign/v1";
const STATEMENT_TYPES: ReadonlySet<unknown> = new Set([STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"]);

export interface ImageStatement {
  /** Undefined for a predicate that we know nothing about. */
  readonly kind: CheckKind | undefined;
  readonly predicateType: string;
  readonly predicate: JsonObject;
}

/** `name`: host and repository. */
export function renderImageStatement(
  name: string,
  digest: Sha256,
  predicateType: string,
  predicate: JsonObject,
): Buffer {
  const subject = [{ name, digest: { sha256: digest } }];
  return Buffer.from(JSON.stringify({ _type: STATEMENT_TYPE, subject, predicateType, predicate }));
}

/** Throws EVIDENCE_INVALID when the statement is not about the image with this digest, and it alone. */
export function parseImageStatement(payload: Uint8Array, digest: Sha256, file: string): ImageStatement {
  const { _type, subject, predicateType, predicate } = parseJsonObject(payload, file);
  if (!STATEMENT_TYPES.has(_type)) throw invalidEvidence(file, "_type", _type, STATEMENT_TYPE);
  const count = Array.isArray(subject) ? subject.length : 0;
  if (count !== 1) throw invalidEvidence(file, "subject", `${count} subjects`, "exactly one");
  const found = memberAt(subject, "0.digest.sha256");
  if (found !== digest) throw invalidEvidence(file, "subject.0.digest.sha256", found, `${digest}, that of the image`);
  if (typeof predicateType !== "string") throw invalidEvidence(file, "predicateType", predicateType, "a URI");
  const content = predicate ?? {}; // a bare signature may leave it out
  if (!isObject(content)) throw invalidEvidence(file, "predicate", typeof predicate, "an object");
  return { kind: kindOf(predicateType), predicateType, predicate: content };
}

function kindOf(predicateType: string): CheckKind | undefined {
  if (predicateType === IMAGE_SIGNATURE_TYPE) return "signature";
  return STATEMENT_KINDS.find((kind: StatementKind) => PREDICATE_TYPES[kind] === predicateType);
}
