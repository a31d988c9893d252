// SPDX-License-Identifier: Apache-2.0
// Opens private keys that `cosign generate-key-pair` wrote, and writes such: PEM around JSON around a secretbox whose key is the
// password's scrypt. Parameters come from the file, so they are bounded: they decide our memory and time.
// Format: secure-systems-lab/go-securesystemslib, encrypted/encrypted.go. scrypt: RFC 7914. secretbox: NaCl, xsalsa20poly1305.
import { createPrivateKey, scryptSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { FactoryError } from "../errors.ts";
import { memberAt, parseJsonObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { invalidKey, keyAlgorithm } from "./key-source.ts";

const PEM =
  /^\s*-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----([0-9A-Za-z+/=\s]+)-----END ENCRYPTED \1 PRIVATE KEY-----\s*$/;
const MAX_SCRYPT_BYTES = 256 << 20; // 128 * N * r; cosign's own need 64 MiB
const MAX_LANES = 4;

/** Throws KEY_INVALID: not such a file, other algorithms, parameters beyond the bounds, or a wrong password. */
export function decryptCosignKey(text: string, name: string, password: string): KeyObject {
  const body = PEM.exec(text)?.[2];
  if (body === undefined) throw invalidKey(name, "damaged PEM", "one PEM block as cosign writes it");
  const box = parseBox(Buffer.from(body, "base64"), name);
  let der: Uint8Array;
  try {
    const { N, r, p } = box;
    const key = scryptSync(password, box.salt, 32, { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES });
    der = xsalsa20poly1305(key, box.nonce).decrypt(box.ciphertext);
  } catch (error) {
    throw invalidKey(name, "a password that does not open the key", "the password of cosign's key", error);
  }
  return parseDer(der, name);
}

/** `der`: PKCS#8. Parameters are cosign's own. */
export function encryptCosignKey(der: Uint8Array, password: string, random: (bytes: number) => Uint8Array): string {
  const params = { N: 65_536, r: 8, p: 1 };
  const [salt, nonce] = [Buffer.from(random(32)), Buffer.from(random(24))];
  const key = scryptSync(password, salt, 32, { ...params, maxmem: 2 * MAX_SCRYPT_BYTES });
  const ciphertext = Buffer.from(xsalsa20poly1305(key, nonce).encrypt(der));
  const box = {
    kdf: { name: "scrypt", params, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: ciphertext.toString("base64"),
  };
  const lines = Buffer.from(JSON.stringify(box))
    .toString("base64")
    .replaceAll(/.{1,64}/g, "$&\n");
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${lines}-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

interface Box {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
}

function parseBox(json: Uint8Array, name: string): Box {
  const value = readJson(json, name);
  const [kdf, cipher] = [memberAt(value, "kdf.name"), memberAt(value, "cipher.name")];
  if (kdf !== "scrypt" || cipher !== "nacl/secretbox")
    throw invalidKey(name, `${String(kdf)} and ${String(cipher)}`, "scrypt and nacl/secretbox");
  const [N, r, p] = ["N", "r", "p"].map((parameter) => memberAt(value, `kdf.params.${parameter}`));
  if (!isCount(N) || !isCount(r) || !isCount(p) || !Number.isInteger(Math.log2(N)) || N < 2)
    throw invalidKey(name, "odd scrypt parameters", "N a power of two, r and p whole numbers");
  if (128 * N * r > MAX_SCRYPT_BYTES || p > MAX_LANES)
    throw invalidKey(name, `scrypt N=${N} r=${r} p=${p}`, `at most ${MAX_SCRYPT_BYTES} bytes and ${MAX_LANES} lanes`);
  const [salt, nonce, ciphertext] = ["kdf.salt", "cipher.nonce", "ciphertext"].map((path) => {
    const text = memberAt(value, path);
    return Buffer.from(typeof text === "string" ? text : "", "base64");
  });
  if (salt === undefined || nonce?.length !== 24 || ciphertext === undefined || salt.length < 8)
    throw invalidKey(name, "a short salt or nonce", "32 bytes of salt and 24 of nonce");
  return { N, r, p, salt, nonce, ciphertext };
}

function readJson(json: Uint8Array, name: string): JsonObject {
  try {
    return parseJsonObject(json, name);
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    throw invalidKey(name, "damaged content", "JSON inside the PEM block", error);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function parseDer(der: Uint8Array, name: string): KeyObject {
  try {
    const key = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
    keyAlgorithm(key, name);
    return key;
  } catch (error) {
    if (error instanceof FactoryError) throw error;
    throw invalidKey(name, "content that is no PKCS#8", "a PKCS#8 private key", error);
  }
}
