// SPDX-License-Identifier: Apache-2.0
// ECDSA on P-256 over a digest, which node:crypto does not offer: it wants the whole message. Nonces are those of
// RFC 6979, so one key and one digest give one signature, and bundles can be compared. OpenSSL multiplies the point;
// only arithmetic modulo the order is done here, with BigInt, blinded because its time depends on its operands.
// Spec: RFC 6979 section 3.2; SEC 1 section 4.1.3; DER of Ecdsa-Sig-Value from RFC 3279 section 2.2.3.
import { createECDH, createHmac } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { bug } from "../errors.ts";

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const SCALAR_BYTES = 32;

/** `digest` has 32 bytes. Returns DER. */
export function signP256Digest(privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  const { d } = privateKey.export({ format: "jwk" });
  if (d === undefined || digest.length !== SCALAR_BYTES) throw bug("a P-256 signature without private key or digest");
  const secret = Buffer.from(d, "base64url");
  const [key, message] = [toNumber(secret), toNumber(digest)];
  const scalars = nonces(secret, digest);
  for (;;) {
    const nonce = scalars();
    const blind = scalars(); // as secret as the nonce, and gone after this signature
    const r = pointX(nonce) % ORDER;
    const blinded = ((blind * message) % ORDER) + ((((blind * key) % ORDER) * r) % ORDER);
    const s = (invert((blind * nonce) % ORDER) * (blinded % ORDER)) % ORDER;
    if (r !== 0n && s !== 0n) return encodeSignature(r, s);
  }
}

/** RFC 6979 section 3.2: scalars from 1 to ORDER - 1 that only the key's owner can know. */
function nonces(secret: Uint8Array, digest: Uint8Array): () => bigint {
  const reduced = toBytes(toNumber(digest) % ORDER); // bits2octets
  let value = Buffer.alloc(SCALAR_BYTES, 1);
  let key = Buffer.alloc(SCALAR_BYTES, 0);
  const mix = (...parts: readonly Uint8Array[]): void => {
    key = hmac(key, Buffer.concat([value, ...parts]));
    value = hmac(key, value);
  };
  mix(Buffer.of(0), secret, reduced);
  mix(Buffer.of(1), secret, reduced);
  return () => {
    for (;;) {
      value = hmac(key, value);
      const scalar = toNumber(value);
      mix(Buffer.of(0));
      if (scalar > 0n && scalar < ORDER) return scalar;
    }
  };
}

/** X coordinate of `scalar` times the base point. */
function pointX(scalar: bigint): bigint {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(toBytes(scalar));
  return toNumber(curve.getPublicKey().subarray(1, 1 + SCALAR_BYTES)); // uncompressed: 04 x y
}

/** By Euclid; `value` is blinded. */
function invert(value: bigint): bigint {
  let [low, high] = [value, ORDER];
  let [lowFactor, highFactor] = [1n, 0n];
  while (low > 1n) {
    const quotient = high / low;
    [low, high] = [high % low, low];
    [lowFactor, highFactor] = [highFactor - quotient * lowFactor, lowFactor];
  }
  return ((lowFactor % ORDER) + ORDER) % ORDER;
}

function encodeSignature(r: bigint, s: bigint): Uint8Array {
  const body = Buffer.concat([encodeInteger(r), encodeInteger(s)]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]); // at most 72 bytes, so lengths have one byte
}

function encodeInteger(value: bigint): Uint8Array {
  const bytes = toBytes(value);
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = bytes.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : []; // a leading zero keeps it positive
  return Buffer.of(0x02, sign.length + digits.length, ...sign, ...digits);
}

function hmac(key: Uint8Array, data: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.from(createHmac("sha256", key).update(data).digest());
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * SCALAR_BYTES, "0"), "hex");
}
