// SPDX-License-Identifier: Apache-2.0
// Sigstore bundles v0.3: one signature with what is needed to verify it. Written over an artifact's digest (message
// signature) or around a statement (DSSE); read strictly, since a bundle comes from whoever gives us the artifact.
// Spec: sigstore/protobuf-specs sigstore_bundle.proto; secure-systems-lab/dsse protocol.md.
// Left out: bundles v0.1 and v0.2, certificate chains (v0.3 forbids them), several signatures in one envelope.
import { isDeepStrictEqual } from "node:util";
import { bundleFromJSON, bundleToJSON, toDSSEBundle, toMessageSignatureBundle } from "@sigstore/bundle";
import type { Bundle } from "@sigstore/bundle";
import { dsse } from "@sigstore/core";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, parseJsonObject } from "./json.ts";
import { keyHint } from "./key-source.ts";
import type { Signer } from "./signer.ts";
import { PAYLOAD_TYPE } from "./statement.ts";

export type { Bundle } from "@sigstore/bundle";

export const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Signs an artifact by its digest. */
export async function signArtifact(digest: Sha256, signer: Signer): Promise<Bundle> {
  const signature = Buffer.from(await signer.key.signDigest(digest));
  const bytes = Buffer.from(digest, "hex");
  return witnessed(toMessageSignatureBundle({ digest: bytes, signature, ...keyMaterial(signer) }), signer);
}

/** Signs the bytes of a statement. */
export async function signStatement(payload: Uint8Array, signer: Signer): Promise<Bundle> {
  const artifact = Buffer.from(payload);
  const signature = Buffer.from(await signer.key.signDigest(sha256(dsse.preAuthEncoding(PAYLOAD_TYPE, artifact))));
  const bundle = toDSSEBundle({ artifact, artifactType: PAYLOAD_TYPE, signature, ...keyMaterial(signer) });
  // The library puts the hint here; cosign then looks for a key of that id, finds none, and counts no signature.
  for (const entry of bundle.content.dsseEnvelope.signatures) entry.keyid = "";
  return witnessed(bundle, signer);
}

/** One line of JSON. */
export function renderBundle(bundle: Bundle): string {
  return `${JSON.stringify(bundleToJSON(bundle))}\n`;
}

/**
 * Narrows a bundle. Throws EVIDENCE_INVALID for what is not on the list above, and for any text that is not how the
 * bundle would be written again: unknown members, and base64 with stray characters or bits that decoders drop.
 */
export function parseBundle(bytes: Uint8Array, file: string): Bundle {
  const value = parseJsonObject(bytes, file);
  const { mediaType } = value;
  if (mediaType !== BUNDLE_TYPE) throw invalidEvidence(file, "mediaType", mediaType, BUNDLE_TYPE);
  const bundle = decodeBundle(value, file);
  if (!isDeepStrictEqual(withoutEmpty(value), withoutEmpty(bundleToJSON(bundle))))
    throw invalidEvidence(file, "document", "unknown members, or values in an odd notation", "a bundle v0.3");
  const { content, verificationMaterial } = bundle;
  if (verificationMaterial.content.$case === "x509CertificateChain")
    throw invalidEvidence(file, "verificationMaterial", "a certificate chain", "a certificate or a public key");
  if (content.$case === "dsseEnvelope") {
    const { signatures, payloadType } = content.dsseEnvelope;
    if (signatures.length !== 1)
      throw invalidEvidence(file, "dsseEnvelope.signatures", `${signatures.length} signatures`, "exactly one");
    if (payloadType !== PAYLOAD_TYPE)
      throw invalidEvidence(file, "dsseEnvelope.payloadType", payloadType, PAYLOAD_TYPE);
  }
  return bundle;
}

function decodeBundle(value: JsonObject, file: string): Bundle {
  try {
    return bundleFromJSON(value);
  } catch (error) {
    throw invalidEvidence(file, "document", (error as Error).message, "a sigstore bundle");
  }
}

/** Protobuf's JSON may leave out what is empty, and writers differ about that. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withoutEmpty(member)] as const);
  return Object.fromEntries(members.filter(([, member]) => !isEmpty(member)));
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function keyMaterial({ key, certificate }: Signer): {
  certificate?: Buffer;
  keyHint?: string;
  certificateChain: false;
} {
  if (certificate !== undefined) return { certificate: Buffer.from(certificate), certificateChain: false };
  return { keyHint: keyHint(key.publicKey), certificateChain: false };
}

async function witnessed(bundle: Bundle, signer: Signer): Promise<Bundle> {
  const seen = await signer.witness(bundle.content);
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, ...seen } };
}
