// SPDX-License-Identifier: Apache-2.0
// Keys in files: PEM of PKCS#8 (RFC 5958), plain or encrypted, and what cosign writes (cosign-key.ts).
import { constants, createPrivateKey, createPublicKey, privateEncrypt } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Sha256 } from "../layout/digest.ts";
import { signP256Digest } from "./ecdsa-digest.ts";
import type { KeySource } from "./key-source.ts";
import { invalidKey, keyAlgorithm } from "./key-source.ts";

/** DER of DigestInfo for SHA-256 up to the digest: RFC 8017 section 9.2, note 1. */
const DIGEST_INFO_SHA256 = Buffer.from("3031300d060960864801650304020105000420", "hex");
const MAX_KEY_BYTES = 64 * 1024;

/**
 * A private key as a source. `name` is for messages. `password` is asked for once, and only when the key is encrypted;
 * it gives undefined when there is none. Throws KEY_INVALID.
 */
export async function pemKeySource(
  pem: Uint8Array,
  name: string,
  password: () => Promise<string | undefined>,
): Promise<KeySource> {
  const key = await readPrivateKey(pem, name, password);
  return privateKeySource(key, `${name} (${keyAlgorithm(key, name)})`);
}

/** A key in memory as a source. */
export function privateKeySource(key: KeyObject, describe: string): KeySource {
  const algorithm = keyAlgorithm(key, describe);
  const sign = algorithm === "ECDSA P-256" ? signP256Digest : signRsaDigest;
  return {
    describe,
    publicKey: createPublicKey(key),
    signDigest: async (digest: Sha256) => sign(key, Buffer.from(digest, "hex")),
  };
}

/** A public key, or the public half of a certificate's. Throws KEY_INVALID, also for a private key: it has no place there. */
export function readPublicKey(pem: Uint8Array, name: string): KeyObject {
  const text = boundedText(pem, name);
  if (/PRIVATE KEY/.test(text)) throw invalidKey(name, "a private key", "a public key");
  try {
    const key = createPublicKey(text);
    keyAlgorithm(key, name);
    return key;
  } catch (error) {
    if ((error as { code?: unknown }).code === "KEY_INVALID") throw error;
    throw invalidKey(name, "no PEM of a public key", "a public key in PEM", error);
  }
}

async function readPrivateKey(
  pem: Uint8Array,
  name: string,
  password: () => Promise<string | undefined>,
): Promise<KeyObject> {
  const text = boundedText(pem, name);
  if (/-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----/.test(text)) {
    const { decryptCosignKey } = await import("./cosign-key.ts");
    return decryptCosignKey(text, name, await wanted(name, password));
  }
  const passphrase = /ENCRYPTED/.test(text) ? await wanted(name, password) : undefined;
  try {
    return createPrivateKey({ key: text, format: "pem", ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    const found = passphrase === undefined ? "no PEM of a private key" : "a password that does not open the key";
    throw invalidKey(name, found, "a private key in PEM, PKCS#8 or cosign's", error);
  }
}

/** An empty password is one: cosign allows it. */
async function wanted(name: string, password: () => Promise<string | undefined>): Promise<string> {
  const found = await password();
  if (found !== undefined) return found;
  throw invalidKey(
    name,
    "an encrypted key",
    "its password: --key-password-file, DODEKA_KEY_PASSWORD or COSIGN_PASSWORD",
  );
}

function boundedText(pem: Uint8Array, name: string): string {
  if (pem.length > MAX_KEY_BYTES) throw invalidKey(name, `${pem.length} bytes`, `at most ${MAX_KEY_BYTES} bytes`);
  return Buffer.from(pem).toString("latin1");
}

/** RSASSA-PKCS1-v1_5: RFC 8017 section 8.2.1. OpenSSL pads and blinds. */
function signRsaDigest(key: KeyObject, digest: Uint8Array): Uint8Array {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([DIGEST_INFO_SHA256, digest]));
}
