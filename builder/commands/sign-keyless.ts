// SPDX-License-Identifier: Apache-2.0
// Keyless signing: a key that lives as long as this process, a certificate from Fulcio that binds it to an identity, and
// witnesses (a Rekor log, a timestamp authority) for the time of signing. One certificate serves a whole build.
// Spec: sigstore/architecture-docs client-spec.md. Rekor's v1 API, since cosign 2.5 refuses entries of v2.
import { generateKeyPairSync } from "node:crypto";
import { pem } from "@sigstore/core";
import { FulcioSigner, RekorWitness, TSAWitness } from "@sigstore/sign";
import type { Witness } from "@sigstore/sign";
import { FactoryError } from "../errors.ts";
import type { Signer } from "../evidence/signer.ts";
import type { KeySource } from "../evidence/key-source.ts";
import { privateKeySource } from "../evidence/pem-key.ts";
import { sha256 } from "../layout/digest.ts";
import { checkedUrl } from "../registry/http.ts";

export interface KeylessOptions {
  /** An OpenID Connect token whose audience is sigstore. */
  readonly token: string;
  readonly fulcioUrl: string;
  /** Undefined: no log. */
  readonly rekorUrl: string | undefined;
  /** Undefined: no timestamp authority. */
  readonly timestampUrl: string | undefined;
}

const TIMEOUT_MS = 30_000;
const RETRIES = 2;

/**
 * Throws USAGE when neither witness is given, and for addresses that others could listen at; KEY_INVALID for what is no
 * token; NETWORK when a service does not answer or refuses.
 */
export async function keylessSigner(options: KeylessOptions): Promise<Signer> {
  const { rekorUrl, timestampUrl } = options;
  const network = { retry: RETRIES, timeout: TIMEOUT_MS };
  const witnesses: readonly Witness[] = [
    ...(rekorUrl === undefined ? [] : [new RekorWitness({ rekorBaseURL: rekorUrl, majorApiVersion: 1, ...network })]),
    ...(timestampUrl === undefined ? [] : [new TSAWitness({ tsaBaseURL: timestampUrl, ...network })]),
  ];
  if (witnesses.length === 0) throw noWitness();
  if (!isToken(options.token)) throw noToken();
  // Whoever sees the token on its way can sign in our name.
  for (const url of [options.fulcioUrl, rekorUrl, timestampUrl]) if (url !== undefined) checkedUrl(url);
  const key = ephemeralKey();
  const certificate = await certify(key, options).catch((error: unknown) => {
    throw unanswered(options.fulcioUrl, error);
  });
  return {
    key,
    certificate: pem.toDER(certificate),
    witness: (content) => witnessAll(witnesses, content, certificate),
  };
}

function ephemeralKey(): KeySource {
  return privateKeySource(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey, "a key of this process");
}

/** PEM of the certificate. The library signs the token's subject with our key to show that we hold it. */
async function certify(key: KeySource, { token, fulcioUrl }: KeylessOptions): Promise<string> {
  const publicKey = key.publicKey.export({ type: "spki", format: "pem" });
  const signer = new FulcioSigner({
    fulcioBaseURL: fulcioUrl,
    identityProvider: { getToken: async () => token },
    keyHolder: {
      sign: async (data) => ({
        signature: Buffer.from(await key.signDigest(sha256(data))),
        key: { $case: "publicKey", publicKey: publicKey.toString() },
      }),
    },
    retry: RETRIES,
    timeout: TIMEOUT_MS,
  });
  const { key: proof } = await signer.sign(Buffer.alloc(0)); // only for the certificate; our own signatures follow
  if (proof.$case !== "x509Certificate") throw new Error("no certificate in the answer");
  return proof.certificate;
}

async function witnessAll(
  witnesses: readonly Witness[],
  content: Parameters<Signer["witness"]>[0],
  certificate: string,
): ReturnType<Signer["witness"]> {
  try {
    const seen = await Promise.all(witnesses.map((witness) => witness.testify(content, certificate)));
    const rfc3161Timestamps = seen.flatMap((s) => s.rfc3161Timestamps ?? []);
    return { tlogEntries: seen.flatMap((s) => s.tlogEntries ?? []), timestampVerificationData: { rfc3161Timestamps } };
  } catch (error) {
    throw unanswered("log or timestamp authority", error);
  }
}

function noWitness(): FactoryError {
  return new FactoryError({
    code: "USAGE",
    field: "--rekor-url, --timestamp-url",
    expected: "at least one: without a time nothing says that the certificate was valid",
    fix: "give one of them",
  });
}

/** Checked before the library does, since its message shows the token. Fulcio judges what is in it. */
function isToken(token: string): boolean {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token) ?? [];
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload ?? "", "base64url").toString());
    return typeof claims === "object" && claims !== null && "sub" in claims && typeof claims.sub === "string";
  } catch {
    return false;
  }
}

function noToken(): FactoryError {
  return new FactoryError({
    code: "KEY_INVALID",
    field: "identity token",
    found: "other text",
    expected: "an OpenID Connect token (a JWT) with a subject",
    fix: "fetch a token for the audience sigstore into the file",
  });
}

function unanswered(field: string, cause: unknown): FactoryError {
  return new FactoryError({
    code: "NETWORK",
    field,
    found: cause instanceof Error ? cause.message : "no answer",
    expected: "an answer",
    fix: "check the address and the identity token, then try again",
    cause,
  });
}
