// SPDX-License-Identifier: Apache-2.0
// Verifies the signature of a bundle against whom a policy trusts, offline. What is signed is the caller's to judge:
// neither here nor in the library is a statement's subject compared with anything.
// What an attacker could do: give a bundle whose hint or certificate chooses the check. So keys are found by hint among
// trusted ones only, a certificate is never enough without a trusted root, an identity and a timestamp, and whatever the
// library throws, whether on purpose or not, counts as "not verified".
import type { KeyObject, Verify } from "node:crypto";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { HashAlgorithm, TrustedRoot as TrustedRootCodec } from "@sigstore/protobuf-specs";
import { Verifier, toSignedEntity, toTrustMaterial } from "@sigstore/verify";
import type { SignedEntity } from "@sigstore/verify";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Bundle } from "./bundle.ts";
import { invalidEvidence } from "./json.ts";

type SignatureContent = SignedEntity["signature"];

export type TrustedSigner =
  | { readonly kind: "key"; readonly name: string; readonly publicKey: KeyObject; readonly hint: string }
  | {
      readonly kind: "identity";
      /** As in the certificate: an address or a URI. Compared as a whole. */
      readonly identity: string;
      readonly issuer: string;
      readonly root: TrustedRoot;
      readonly thresholds: Thresholds;
    };

export interface Thresholds {
  /** Entries in transparency logs. */
  readonly logEntries: number;
  /** Certificate timestamps of transparency logs. */
  readonly certificateLogEntries: number;
  /** At least 1: without a time nothing says that the certificate was valid. */
  readonly timestamps: number;
}

/** An artifact that was read once, as a stream, into both a hash and a `Verify` of SHA-256. */
export interface ReadArtifact {
  readonly digest: Sha256;
  readonly verify: Verify;
}

/**
 * Returns who signed, for a report. `artifact` is needed for message signatures only; each ReadArtifact serves one call.
 * Throws EVIDENCE_INVALID when none of `signers` did.
 */
export function verifyBundle(
  bundle: Bundle,
  signers: readonly TrustedSigner[],
  file: string,
  artifact?: ReadArtifact,
): string {
  const signature = artifact === undefined ? undefined : messageContent(bundle, artifact, file);
  const { content } = bundle.verificationMaterial;
  if (content.$case === "publicKey") return verifyByKey(bundle, signers, file, signature);
  const trusted = signers.filter((signer) => signer.kind === "identity");
  const failures: string[] = [];
  for (const signer of trusted) {
    const failure = failureOf(() => verifyByIdentity(bundle, signer, signature));
    if (failure === undefined) return `${signer.identity} (${signer.issuer})`;
    failures.push(failure);
  }
  const expected = trusted.map(({ identity, issuer }) => `${identity} by ${issuer}`).join(", ");
  const found = failures.length === 0 ? "a certificate" : failures.join("; ");
  throw invalidEvidence(file, "signature", found, expected === "" ? "a signature of a trusted key" : expected);
}

/** The same for a bundle that holds a statement, and its bytes. Throws EVIDENCE_INVALID for any other. */
export function verifyStatement(
  bundle: Bundle,
  signers: readonly TrustedSigner[],
  file: string,
): { readonly signer: string; readonly payload: Buffer } {
  const { content } = bundle;
  if (content.$case === "dsseEnvelope")
    return { signer: verifyBundle(bundle, signers, file), payload: content.dsseEnvelope.payload };
  throw invalidEvidence(file, "content", "a signature without a statement", "a signed statement");
}

function verifyByKey(
  bundle: Bundle,
  signers: readonly TrustedSigner[],
  file: string,
  signature: SignatureContent | undefined,
): string {
  const { content } = bundle.verificationMaterial;
  const hint = content.$case === "publicKey" ? content.publicKey.hint : "";
  const keys = signers.filter((signer) => signer.kind === "key");
  const key = keys.find((candidate) => candidate.hint === hint);
  const expected = keys.map(({ name, hint: id }) => `${name} (${id})`).join(", ");
  if (key === undefined) throw invalidEvidence(file, "signature", `a key of hint ${hint}`, expected || "an identity");
  const finder = (): { publicKey: KeyObject; validFor: () => boolean } => ({
    publicKey: key.publicKey,
    validFor: () => true,
  });
  const material = toTrustMaterial(TrustedRootCodec.fromJSON({}), finder);
  const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
  // The key is trusted for itself: log entries and timestamps that nobody asked for are neither needed nor checked.
  const failure = failureOf(() => {
    verifier.verify({ ...entityOf(bundle, signature), tlogEntries: [], timestamps: [] });
  });
  const { tlogEntries } = bundle.verificationMaterial;
  if (failure === undefined) return tlogEntries.length === 0 ? key.name : `${key.name} (log entries not checked)`;
  throw invalidEvidence(file, "signature", failure, `a signature of ${expected}`);
}

function verifyByIdentity(
  bundle: Bundle,
  { identity, issuer, root, thresholds }: Extract<TrustedSigner, { kind: "identity" }>,
  signature: SignatureContent | undefined,
): void {
  const verifier = new Verifier(toTrustMaterial(root), {
    tlogThreshold: thresholds.logEntries,
    ctlogThreshold: thresholds.certificateLogEntries,
    timestampThreshold: Math.max(1, thresholds.timestamps),
  });
  // Compared here, as a whole: the library takes the identity for a pattern and looks for it anywhere.
  const found = verifier.verify(entityOf(bundle, signature)).identity;
  const by = found?.extensions?.issuer;
  if (found?.subjectAlternativeName === identity && by === issuer) return;
  throw new Error(`signed by ${found?.subjectAlternativeName ?? "nobody"} of issuer ${by ?? "nobody"}`);
}

function entityOf(bundle: Bundle, signature: SignatureContent | undefined): SignedEntity {
  const entity = toSignedEntity(bundle);
  return signature === undefined ? entity : { ...entity, signature };
}

/** A message signature over an artifact that is not in memory. */
function messageContent(bundle: Bundle, artifact: ReadArtifact, file: string): SignatureContent {
  const { content } = bundle;
  if (content.$case !== "messageSignature")
    throw invalidEvidence(file, "content", "a signed statement", "a signature of the artifact");
  const { signature, messageDigest } = content.messageSignature;
  const digest = Buffer.from(messageDigest.digest).toString("hex");
  if (messageDigest.algorithm !== HashAlgorithm.SHA2_256 || digest !== artifact.digest)
    throw invalidEvidence(file, "messageSignature.messageDigest", digest, `SHA-256 ${artifact.digest}`);
  const isDigest = (found: Uint8Array): boolean => Buffer.from(found).toString("hex") === artifact.digest;
  let verdict: { readonly key: Buffer; readonly ok: boolean } | undefined; // a Verify gives its verdict once
  return {
    signature,
    compareSignature: (found) => signature.equals(found),
    compareDigest: isDigest,
    compareSignedDigest: isDigest,
    verifySignature: (key) => {
      const der = key.export({ format: "der", type: "spki" });
      verdict ??= { key: der, ok: artifact.verify.verify(key, signature) };
      return verdict.ok && verdict.key.equals(der);
    },
  };
}

/** Why `check` failed; undefined when it did not. */
function failureOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof FactoryError) throw error;
    return error instanceof Error ? error.message : "no verdict";
  }
}
