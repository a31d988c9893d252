// SPDX-License-Identifier: Apache-2.0
// Fulcio, Rekor and a timestamp authority on the loopback interface, and the trusted root that vouches for them. Made of
// @sigstore/mock with what it lacks: Rekor's canonical form of DSSE entries, and times without fractions of a second,
// which its timestamps sometimes encode against DER.
import { createHash, generateKeyPairSync, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  fulcioHandler,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  rekorHandler,
  tsaHandler,
} from "@sigstore/mock";
import type { HandlerFn } from "@sigstore/mock";
import { dsse } from "@sigstore/core";

export interface SigstoreServices {
  readonly url: string;
  /** JSON of the trusted root. */
  readonly trustedRoot: string;
  readonly close: () => void;
}

export const IDENTITY = "builder@example.org";
export const ISSUER = "https://issuer.example.org";

type HandlerFnResult = Awaited<ReturnType<HandlerFn>>;

interface DsseEntry {
  readonly kind: string;
  readonly spec: { readonly proposedContent?: { readonly envelope: string; readonly verifiers: readonly string[] } };
}

/** `clock`: the time at all services; certificates are valid for ten minutes around it. */
export async function startSigstore(clock: Date): Promise<SigstoreServices> {
  clock.setMilliseconds(0);
  const [caKey, ctKey, logKey, tsaKey] = [ecKey(), ecKey(), ecKey(), ecKey()];
  const ctLog = await initializeCTLog(ctKey, clock);
  const ca = await initializeCA(caKey, ctLog, clock);
  const tlog = await initializeTLog("https://rekor.example.org", logKey, clock);
  const tsa = await initializeTSA(tsaKey, clock);
  const canonical = { ...tlog, publicKey: tlog.publicKey, log: (entry: object) => tlog.log(canonicalEntry(entry)) };
  const handlers = [fulcioHandler(ca), rekorHandler({ ...canonical, logV2: (e) => tlog.logV2(e) }), tsaHandler(tsa)];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const handler = handlers.find(({ path }) => path === request.url);
      if (handler === undefined) response.writeHead(404).end();
      else void handler.fn(Buffer.concat(chunks).toString()).then((result) => answer(response, result));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const validFor = { start: new Date(clock.getTime() - 3_600_000).toISOString() };
  const subject = { organization: "sigstore.dev", commonName: "sigstore" };
  const chain = (...certificates: ArrayBufferView[]): object => ({
    subject,
    certChain: { certificates: certificates.map((bytes) => ({ rawBytes: base64(bytes) })) },
    validFor,
  });
  const log = (publicKey: Buffer): object => ({
    baseUrl: "https://rekor.example.org",
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: base64(publicKey), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor },
    logId: { keyId: createHash("sha256").update(publicKey).digest("base64") },
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trustedRoot: JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [log(tlog.publicKey)],
      certificateAuthorities: [chain(ca.rootCertificate)],
      ctlogs: [log(ctLog.publicKey)],
      timestampAuthorities: [chain(tsa.intCertificate, tsa.rootCertificate)],
    }),
    close: () => server.close(),
  };
}

function answer(
  response: ServerResponse,
  { statusCode, response: body, contentType }: HandlerFnResult,
): ServerResponse {
  response.writeHead(statusCode, { "content-type": contentType ?? "text/plain" });
  return response.end(typeof body === "string" ? body : Buffer.from(base64(body), "base64"));
}

/** An unsigned token: the mock believes whatever it says. */
export function identityToken(identity: string = IDENTITY, issuer: string = ISSUER): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: identity, email: identity, email_verified: true, iss: issuer, aud: "sigstore" };
  return `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.`;
}

/** What Rekor stores for a proposed DSSE entry; other kinds stay as they are. It checks the signature, and so do we. */
function canonicalEntry(entry: object): object {
  const { kind, spec } = entry as DsseEntry;
  if (kind !== "dsse" || spec.proposedContent === undefined) return entry;
  const { envelope, verifiers } = spec.proposedContent;
  const { payload, payloadType, signatures } = JSON.parse(envelope) as {
    payload: string;
    payloadType: string;
    signatures: readonly { readonly sig: string }[];
  };
  const [verifier = ""] = verifiers;
  const bytes = Buffer.from(payload, "base64");
  const signed = signatures.map(({ sig }) => {
    const isSigned = verify(
      "sha256",
      dsse.preAuthEncoding(payloadType, bytes),
      Buffer.from(verifier, "base64").toString(),
      Buffer.from(sig, "base64"),
    );
    if (!isSigned) throw new Error("the envelope is not signed by its verifier");
    return { signature: sig, verifier };
  });
  const hash = (data: string | Buffer): object => ({
    algorithm: "sha256",
    value: createHash("sha256").update(data).digest("hex"),
  });
  return { ...entry, spec: { envelopeHash: hash(envelope), payloadHash: hash(bytes), signatures: signed } };
}

function ecKey(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function base64(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
