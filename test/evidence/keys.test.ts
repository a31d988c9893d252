// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, scryptSync, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { test } from "node:test";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import fc from "fast-check";
import { signP256Digest } from "../../builder/evidence/ecdsa-digest.ts";
import { pemKeySource, privateKeySource, readPublicKey } from "../../builder/evidence/pem-key.ts";
import { FactoryError } from "../../builder/errors.ts";
import { sha256 } from "../../builder/layout/digest.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const none = async (): Promise<undefined> => undefined;

function pem(key: KeyObject, passphrase?: string): Buffer {
  const cipher = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return Buffer.from(key.export({ type: "pkcs8", format: "pem", ...cipher }));
}

/** RFC 6979 appendix A.2.5. */
const RFC_KEY = createPrivateKey({
  format: "jwk",
  key: {
    kty: "EC",
    crv: "P-256",
    d: Buffer.from("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", "hex").toString("base64url"),
    x: Buffer.from("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6", "hex").toString("base64url"),
    y: Buffer.from("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299", "hex").toString("base64url"),
  },
});
const RFC_SIGNATURES = [
  {
    message: "sample",
    r: "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
    s: "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
  },
  {
    message: "test",
    r: "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
    s: "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
  },
];

for (const { message, r, s } of RFC_SIGNATURES) {
  test(`signP256Digest signs "${message}" as RFC 6979 does`, () => {
    const der = Buffer.from(signP256Digest(RFC_KEY, Buffer.from(sha256(message), "hex"))).toString("hex");
    const integer = (hex: string): string => {
      const digits = /^[89a-f]/.test(hex) ? `00${hex}` : hex;
      return `02${(digits.length / 2).toString(16)}${digits}`;
    };
    const body = integer(r) + integer(s);
    assert.equal(der, `30${(body.length / 2).toString(16)}${body}`);
  });
}

for (const key of [ec, rsa]) {
  test(`signatures over digests with ${key.asymmetricKeyType ?? ""} keys are what OpenSSL verifies over messages`, async () => {
    const source = privateKeySource(key, "key");
    const runs = key === ec ? 300 : 10;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (message) => {
        const signature = await source.signDigest(sha256(message));
        assert.ok(verify("sha256", message, source.publicKey, signature));
        assert.ok(!verify("sha256", Buffer.concat([message, Buffer.of(1)]), source.publicKey, signature));
      }),
      { numRuns: runs },
    );
  });
}

test("pemKeySource opens plain and encrypted PKCS#8, and asks for a password only when there is one", async () => {
  for (const key of [ec, rsa]) {
    const plain = await pemKeySource(pem(key), "a.pem", () => assert.fail("asked"));
    const closed = await pemKeySource(pem(key, "secret"), "a.pem", async () => "secret");
    assert.deepEqual(await plain.signDigest(sha256("x")), await closed.signDigest(sha256("x")));
  }
  const { describe } = await pemKeySource(pem(ec), "a.pem", none);
  assert.equal(describe, "a.pem (ECDSA P-256)");
});

/** As cosign writes it, with cheaper parameters. */
function cosignKey(password: string, change: object = {}): Buffer {
  const [salt, nonce] = [randomBytes(32), randomBytes(24)];
  const key = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  const box = xsalsa20poly1305(key, nonce).encrypt(ec.export({ type: "pkcs8", format: "der" }));
  const value = {
    kdf: { name: "scrypt", params: { N: 1024, r: 8, p: 1 }, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(box).toString("base64"),
    ...change,
  };
  const body = Buffer.from(JSON.stringify(value)).toString("base64");
  const kind = "ENCRYPTED SIGSTORE PRIVATE KEY";
  return Buffer.from(`-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----\n`);
}

test("pemKeySource opens cosign's keys, also those with an empty password", async () => {
  for (const password of ["secret", ""]) {
    const source = await pemKeySource(cosignKey(password), "cosign.key", async () => password);
    assert.ok(source.publicKey.equals(createPublicKey(ec)));
  }
});

const scrypt = (N: number, r: number, p: number): object => ({
  kdf: { name: "scrypt", params: { N, r, p }, salt: randomBytes(32).toString("base64") },
});
const ed25519 = generateKeyPairSync("ed25519").privateKey;
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
const shortRsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;

const REFUSED: readonly (readonly [name: string, key: Buffer, password: string | undefined])[] = [
  ["no password for cosign's key", cosignKey("a"), undefined],
  ["a wrong password for cosign's key", cosignKey("a"), "b"],
  ["no password for PKCS#8", pem(ec, "a"), undefined],
  ["a wrong password for PKCS#8", pem(ec, "a"), "b"],
  ["scrypt that needs too much memory", cosignKey("a", scrypt(2 ** 24, 8, 1)), "a"],
  ["scrypt with too many lanes", cosignKey("a", scrypt(1024, 8, 1000)), "a"],
  ["scrypt with an odd N", cosignKey("a", scrypt(1000, 8, 1)), "a"],
  ["another cipher", cosignKey("a", { cipher: { name: "rot13", nonce: "" } }), "a"],
  ["damaged base64", Buffer.from(cosignKey("a").toString().replace("\n", "\n!")), "a"],
  ["an Ed25519 key", pem(ed25519), undefined],
  ["a P-384 key", pem(p384), undefined],
  ["an RSA key of 1024 bits", pem(shortRsa), undefined],
  ["a public key", Buffer.from(createPublicKey(ec).export({ type: "spki", format: "pem" })), undefined],
  ["text", Buffer.from("hello"), undefined],
  ["a huge file", Buffer.alloc(1 << 20, "a"), undefined],
];

for (const [name, key, password] of REFUSED) {
  test(`pemKeySource refuses ${name}`, async () => {
    await assert.rejects(
      pemKeySource(key, "a.pem", async () => password),
      (error) => error instanceof FactoryError && error.code === "KEY_INVALID" && error.details.file === "a.pem",
    );
  });
}

test("readPublicKey refuses private keys and other algorithms", () => {
  const publicPem = (key: KeyObject): Buffer =>
    Buffer.from(createPublicKey(key).export({ type: "spki", format: "pem" }));
  assert.ok(readPublicKey(publicPem(rsa), "a.pub").equals(createPublicKey(rsa)));
  for (const bytes of [pem(ec), publicPem(ed25519), publicPem(shortRsa), Buffer.from("x")]) {
    assert.throws(() => readPublicKey(bytes, "a.pub"), { code: "KEY_INVALID" });
  }
});
