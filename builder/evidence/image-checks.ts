// SPDX-License-Identifier: Apache-2.0
// Checks what is attached to an image in a registry. Anybody who may push can attach something there, so what does not
// count is listed and ignored as long as everything that is required holds. Pure: bytes come in, verdicts go out.
import { createVerify } from "node:crypto";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import { BUNDLE_TYPE, parseBundle } from "./bundle.ts";
import type { Check, Demands } from "./checks.ts";
import { parseImageStatement } from "./image-statement.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, parseJsonObject } from "./json.ts";
import type { CheckKind } from "./kinds.ts";
import { sbomFacts } from "./sbom-facts.ts";
import { expectSimpleSigning } from "./simple-signing.ts";
import type { TrustedSigner } from "./verify-bundle.ts";
import { verifyBundle, verifyStatement } from "./verify-bundle.ts";

/** One thing that is attached; `file` says where, for people. */
export type ImageEvidence =
  /** cosign's older signature: a document, and the signature of it in base64. */
  | { readonly kind: "simple"; readonly file: string; readonly payload: Buffer; readonly signature: string }
  /** cosign's older attestation: a DSSE envelope. */
  | { readonly kind: "envelope"; readonly file: string; readonly bytes: Buffer }
  | { readonly kind: "bundle"; readonly file: string; readonly bytes: Buffer };

export interface CheckedImage {
  /** Host and repository. */
  readonly name: string;
  readonly digest: Sha256;
}

/** Never throws FactoryError; what is wrong stands in the rows. */
export function checkImage(
  { name, digest }: CheckedImage,
  evidence: readonly ImageEvidence[],
  demands: Demands,
): readonly Check[] {
  const isSigned = demands.signers.length > 0;
  const found = evidence.map((item) => (isSigned ? examine(item, digest, demands) : unchecked(item)));
  const proved = new Set(found.flatMap(({ state, kind }) => (state === "ok" ? [kind] : [])));
  const wanted = demands.require.filter((kind) => kind !== "checksum" && isSigned);
  const open = wanted.filter((kind) => !proved.has(kind));
  // What failed is a problem only where it may be the reason that something required is not proved.
  const rows = found.map((row): Check => {
    const isOpen = row.kind === "unknown" ? open.length > 0 : open.includes(row.kind);
    if (row.state !== "failed") return { ...row, required: isWanted(row.kind, wanted) };
    return isOpen ? { ...row, required: true } : { ...row, state: "ignored", problem: undefined };
  });
  const failed = new Set(rows.flatMap(({ state, kind }) => (state === "failed" ? [kind] : [])));
  const missing = open.filter((kind) => !failed.has(kind));
  return [checksumRow(name, digest), ...rows, ...missing.map((kind) => missingRow(name, kind))];
}

function isWanted(kind: Check["kind"], wanted: readonly CheckKind[]): boolean {
  return wanted.some((known) => known === kind);
}

function checksumRow(name: string, digest: Sha256): Check {
  const text = `the manifest has the SHA-256 ${digest}`;
  return { file: name, kind: "checksum", required: true, state: "ok", text, problem: undefined };
}

function missingRow(name: string, kind: CheckKind): Check {
  const problem = new FactoryError({
    code: "EVIDENCE_MISSING",
    file: name,
    field: kind,
    expected: `a ${kind} of a trusted signer, attached to the image`,
    fix: "attach it with `dodeka sign`, or take it from what is required",
  });
  return { file: `${name} ${kind}`, kind, required: true, state: "missing", text: "required", problem };
}

function unchecked({ file }: ImageEvidence): Check {
  const text = "no key or policy was given";
  return { file, kind: "unknown", required: false, state: "not checked", text, problem: undefined };
}

function examine(item: ImageEvidence, digest: Sha256, demands: Demands): Check {
  const common = { file: item.file, required: false, problem: undefined };
  try {
    const { signer, kind, what } =
      item.kind === "simple" ? readSimple(item, digest, demands) : readStatement(item, digest, demands);
    if (kind === undefined)
      return { ...common, kind: "unknown", state: "not checked", text: `${signer} signed ${what}` };
    return { ...common, kind, state: "ok", text: `${signer} signed ${what}` };
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    const kind = item.kind === "simple" ? "signature" : "unknown";
    return { ...common, kind, state: "failed", text: error.message, problem: error };
  }
}

interface Finding {
  readonly signer: string;
  readonly kind: CheckKind | undefined;
  readonly what: string;
}

function readSimple(
  { payload, signature, file }: Extract<ImageEvidence, { kind: "simple" }>,
  digest: Sha256,
  { signers }: Demands,
): Finding {
  const messageDigest = { algorithm: "SHA2_256", digest: Buffer.from(sha256(payload), "hex").toString("base64") };
  const content = { messageSignature: { messageDigest, signature } };
  const signer = verifyByAnyKey(content, signers, file, payload);
  expectSimpleSigning(payload, digest, file);
  return { signer, kind: "signature", what: "this image" };
}

function readStatement(
  item: Exclude<ImageEvidence, { kind: "simple" }>,
  digest: Sha256,
  { signers, minimumCoverage }: Demands,
): Finding {
  const { file, bytes } = item;
  const { signer, payload } =
    item.kind === "bundle"
      ? verifyStatement(parseBundle(bytes, file), signers, file)
      : verifyEnvelope(parseJsonObject(bytes, file), signers, file);
  const { kind, predicateType, predicate } = parseImageStatement(payload, digest, file);
  if (kind === "cdx" && minimumCoverage !== undefined) {
    const { coverage = -1 } = sbomFacts(kind, predicate, file);
    if (coverage < minimumCoverage)
      throw invalidEvidence(file, "coverage", coverage, `${minimumCoverage} percent or more`);
  }
  if (kind === "signature") return { signer, kind, what: "this image" };
  return { signer, kind, what: `a statement about this image: ${kind ?? predicateType}` };
}

function verifyEnvelope(
  envelope: JsonObject,
  signers: readonly TrustedSigner[],
  file: string,
): ReturnType<typeof verifyStatement> {
  const signer = verifyByAnyKey({ dsseEnvelope: withoutKeyIds(envelope) }, signers, file, undefined);
  return { signer, payload: Buffer.from(String(envelope["payload"]), "base64") }; // any other notation is refused above
}

/** Older forms say no key: each trusted one is tried, under the hint that a bundle of it would have. */
function verifyByAnyKey(
  content: object,
  signers: readonly TrustedSigner[],
  file: string,
  message: Buffer | undefined,
): string {
  let last: FactoryError | undefined;
  for (const signer of signers) {
    if (signer.kind !== "key") continue;
    const verificationMaterial = { publicKey: { hint: signer.hint } };
    const text = JSON.stringify({ mediaType: BUNDLE_TYPE, verificationMaterial, ...content });
    const read = message && { digest: sha256(message), verify: createVerify("sha256").update(message) };
    try {
      return verifyBundle(parseBundle(Buffer.from(text), file), [signer], file, read);
    } catch (error) {
      if (!(error instanceof FactoryError)) throw error;
      last = error;
    }
  }
  throw last ?? invalidEvidence(file, "signature", "a signature in cosign's older form", "a bundle, for an identity");
}

/** Key ids are hints in DSSE, and makers differ about what they are. */
function withoutKeyIds(envelope: JsonObject): JsonObject {
  if (!Array.isArray(envelope["signatures"])) return envelope;
  const signatures = (envelope["signatures"] as unknown[]).map((entry) => {
    if (!isObject(entry)) return entry;
    const { keyid: _, ...rest } = entry;
    return rest;
  });
  return { ...envelope, signatures };
}
