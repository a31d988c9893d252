// SPDX-License-Identifier: Apache-2.0
// Makes signing keys: on P-256, or RSA of 3072 bits. With a password the private half is in cosign's own form, so that
// either tool opens it; without one it is plain PKCS#8 in PEM.
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { encryptCosignKey } from "./cosign-key.ts";
import type { KeyType } from "./kinds.ts";

export interface KeyFiles {
  /** PEM. */
  readonly privateKey: string;
  /** PEM of SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

/** `password` undefined: not encrypted. `random` gives that many bytes nobody can guess. */
export function generateKeyFiles(
  type: KeyType,
  password: string | undefined,
  random: (bytes: number) => Uint8Array,
): KeyFiles {
  const key = generate(type);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  if (password === undefined) return { privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(), publicKey };
  return { privateKey: encryptCosignKey(key.export({ type: "pkcs8", format: "der" }), password, random), publicKey };
}

function generate(type: KeyType): KeyObject {
  switch (type) {
    case "p256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    case "rsa3072":
      return generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey;
    default:
      return type satisfies never;
  }
}
