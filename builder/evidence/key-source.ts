// SPDX-License-Identifier: Apache-2.0
// Where a signature comes from. A source signs SHA-256 digests, never content: that is what PKCS#11 tokens and key
// services offer, and it lets an image be hashed once, while it is written. A new kind of source is a file that makes
// this interface. Algorithms: ECDSA on P-256, RSA PKCS#1 v1.5 of 2048 bits or more, both with SHA-256.
// Left out: Ed25519, which hashes its message itself and which verifiers of sigstore bundles do not agree about.
import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";

export interface KeySource {
  /** For messages: `release.pem (ECDSA P-256)`. Never anything secret. */
  readonly describe: string;
  readonly publicKey: KeyObject;
  /** ECDSA: DER of (r, s). RSA: as long as the modulus. */
  readonly signDigest: (digest: Sha256) => Promise<Uint8Array>;
}

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** Names the algorithm of a public or private key. Throws KEY_INVALID for any that is not on the list above. */
export function keyAlgorithm(key: KeyObject, name: string): "ECDSA P-256" | `RSA ${number}` {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "ECDSA P-256";
  if (key.asymmetricKeyType === "rsa" && modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS)
    return `RSA ${modulusLength}`;
  const found = `${key.asymmetricKeyType ?? "no key"} ${namedCurve ?? (modulusLength || "")}`.trim();
  throw invalidKey(name, found, `a key on P-256, or RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`);
}

/** Base64 of the SHA-256 of the public key's DER: how cosign names a key in a bundle. */
export function keyHint(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest("base64");
}

/** Never shows what is in a key file. */
export function invalidKey(name: string, found: string, expected: string, cause?: unknown): FactoryError {
  return new FactoryError({
    code: "KEY_INVALID",
    file: name,
    field: "key",
    found,
    expected,
    fix: "give another key, or make one with `dodeka key generate`",
    cause,
  });
}
