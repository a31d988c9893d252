// SPDX-License-Identifier: Apache-2.0
// What cosign's older signatures sign: a small JSON document that names an image by digest.
// Spec: sigstore/cosign specs/SIGNATURE_SPEC.md; containers/image docs/containers-signature.5.md, "critical".
import type { Sha256 } from "../layout/digest.ts";
import { invalidEvidence, memberAt, parseJsonObject } from "./json.ts";

export const SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Annotations of the layer that holds the document. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";
export const CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate";
const TYPE = "cosign container image signature";

/** `name`: host and repository. */
export function renderSimpleSigning(name: string, digest: Sha256): Buffer {
  const identity = { "docker-reference": name };
  const image = { "docker-manifest-digest": `sha256:${digest}` };
  return Buffer.from(JSON.stringify({ critical: { identity, image, type: TYPE }, optional: null }));
}

/** Throws EVIDENCE_INVALID when the document is about another image. Names of repositories are not compared: images move. */
export function expectSimpleSigning(payload: Uint8Array, digest: Sha256, file: string): void {
  const value = parseJsonObject(payload, file);
  const type = memberAt(value, "critical.type");
  if (type !== TYPE) throw invalidEvidence(file, "critical.type", type, TYPE);
  const found = memberAt(value, "critical.image.docker-manifest-digest");
  if (found !== `sha256:${digest}`)
    throw invalidEvidence(file, "critical.image.docker-manifest-digest", found, `sha256:${digest}, that of the image`);
}
