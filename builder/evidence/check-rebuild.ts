// SPDX-License-Identifier: Apache-2.0
// Checks the statement of a second builder (see rebuild.ts) against the artifact and the provenance beside it. Second
// builders have keys of their own: a statement of one whom nobody trusts says nothing, and is no reason to refuse.
import { isDeepStrictEqual } from "node:util";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import { parseBundle } from "./bundle.ts";
import { invalidEvidence, memberAt } from "./json.ts";
import { REBUILD_SCOPES, REBUILD_TYPE } from "./rebuild.ts";
import { parseStatement } from "./statement.ts";
import type { TrustedSigner } from "./verify-bundle.ts";
import { verifyStatement } from "./verify-bundle.ts";

export interface RebuildEvidence {
  readonly bytes: Uint8Array;
  readonly file: string;
  /** Of the artifact. */
  readonly digest: Sha256;
  /** The readable one beside the artifact, when there is one. */
  readonly provenance: Uint8Array | undefined;
}

/** True when the bundle says that somebody made it whom `signers` do not name; what is no bundle is for the check. */
export function isOfStranger(bytes: Uint8Array, signers: readonly TrustedSigner[]): boolean {
  try {
    const { content } = parseBundle(bytes, "").verificationMaterial;
    if (content.$case !== "publicKey") return !signers.some(({ kind }) => kind === "identity");
    return !signers.some((signer) => signer.kind === "key" && signer.hint === content.publicKey.hint);
  } catch (error) {
    if (error instanceof FactoryError) return false;
    throw error;
  }
}

/** Returns what holds, as text. Throws EVIDENCE_INVALID. */
export function checkRebuild(about: RebuildEvidence, signers: readonly TrustedSigner[]): string {
  const { bytes, file, digest, provenance } = about;
  const { signer, payload } = verifyStatement(parseBundle(bytes, file), signers, file);
  const { predicateType, predicate, subject } = parseStatement(payload, file);
  if (predicateType !== REBUILD_TYPE) throw invalidEvidence(file, "predicateType", predicateType, REBUILD_TYPE);
  if (subject.digest !== digest)
    throw invalidEvidence(file, "subject.0.digest.sha256", subject.digest, `${digest}, that of the artifact`);
  if (predicate["result"] !== "equal") throw invalidEvidence(file, "result", predicate["result"], "equal");
  const scope = REBUILD_SCOPES.find((known) => known === predicate["scope"]);
  if (scope === undefined) throw invalidEvidence(file, "scope", predicate["scope"], REBUILD_SCOPES.join(", "));
  const followed = memberAt(predicate, "provenance.digest");
  if (provenance !== undefined && !isDeepStrictEqual(followed, { sha256: sha256(provenance) }))
    throw invalidEvidence(file, "provenance", followed, `${sha256(provenance)}, that beside the artifact`);
  const what = scope === "everything" ? "compiled and assembled" : "assembled";
  return `${signer} signed that this file came out again when it was ${what} anew`;
}
