// SPDX-License-Identifier: Apache-2.0
// Signs an image in a registry, and statements about it. Each is pushed in both forms that cosign knows: a sigstore
// bundle as a referrer of the image, and a layer under a tag that is made of the image's digest.
// Spec: sigstore/cosign specs/BUNDLE_SPEC.md and SIGNATURE_SPEC.md.
// Limit: what is under a tag is read and written without a lock, so that two signers at once lose one signature.
import { X509Certificate } from "node:crypto";
import { basename } from "node:path";
import { envelopeToJSON } from "@sigstore/bundle";
import { FactoryError } from "../errors.ts";
import { statementBytes } from "../evidence/attest.ts";
import { BUNDLE_TYPE, renderBundle, signArtifact, signStatement } from "../evidence/bundle.ts";
import type { Bundle } from "../evidence/bundle.ts";
import type { Signer } from "../evidence/signer.ts";
import { IMAGE_SIGNATURE_TYPE, renderImageStatement } from "../evidence/image-statement.ts";
import { EVIDENCE_MAX_BYTES, parseJsonObject } from "../evidence/json.ts";
import type { StatementKind } from "../evidence/kinds.ts";
import { PREDICATE_TYPES, STATEMENT_KINDS } from "../evidence/kinds.ts";
import {
  CERTIFICATE_ANNOTATION,
  SIGNATURE_ANNOTATION,
  SIMPLE_SIGNING_TYPE,
  renderSimpleSigning,
} from "../evidence/simple-signing.ts";
import { readBounded } from "../host/read-bounded.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import { EMPTY_CONFIG, MANIFEST_TYPE, renderArtifactManifest } from "../layout/oci-manifest.ts";
import { attachReferrer } from "../registry/referrers.ts";
import type { Repository } from "../registry/registry.ts";
import { pullManifest, pushBlob, pushManifest } from "../registry/registry.ts";
import { ENVELOPE_TYPE, cosignTag } from "./collect-image-evidence.ts";
import type { CommandContext } from "./context.ts";
import { openImage } from "./open-image.ts";
import type { OpenImage } from "./open-image.ts";

const TIMESTAMP_ANNOTATION = "dev.sigstore.cosign/rfc3161timestamp";

/** A document to attach: its kind, and the file that holds it. */
export type AttachedStatement = readonly [kind: StatementKind, file: string];

/** Reads `kind=file` of the command line. Throws USAGE. */
export function parseAttachedStatement(text: string): AttachedStatement {
  const [, name, file] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
  const kind = STATEMENT_KINDS.find((known) => known === name);
  if (kind !== undefined && file !== undefined) return [kind, file];
  throw usage("--statement", text, `KIND=FILE, with a kind of ${STATEMENT_KINDS.join(", ")}`);
}

/** Signs nothing when a document is about something else. Throws EVIDENCE_INVALID, REGISTRY_REFUSED, NETWORK. */
export async function signImage(
  context: CommandContext,
  target: string,
  signer: Signer,
  statements: readonly AttachedStatement[],
): Promise<void> {
  const image = await openImage(context, target);
  const { repository, name, manifest } = image;
  if (repository === undefined) throw usage("image", target, "an image in a registry: a layout is only read");
  const payloads: (readonly [predicateType: string, payload: Buffer])[] = [];
  for (const [kind, file] of statements) payloads.push([PREDICATE_TYPES[kind], await readPayload(image, kind, file)]);
  await pushSimpleSignature(repository, image, signer);
  const signed = renderImageStatement(name, manifest.digest, IMAGE_SIGNATURE_TYPE, {});
  await pushBundle(repository, image, IMAGE_SIGNATURE_TYPE, await signStatement(signed, signer));
  for (const [predicateType, payload] of payloads) {
    const bundle = await signStatement(payload, signer);
    await pushBundle(repository, image, predicateType, bundle);
    await pushEnvelope(repository, manifest.digest, predicateType, bundle);
  }
}

/** An SBOM is put into a statement; any other document is one already, and must be about this image. */
async function readPayload({ name, manifest }: OpenImage, kind: StatementKind, file: string): Promise<Buffer> {
  const document = await readBounded(file, EVIDENCE_MAX_BYTES);
  const { digest } = manifest;
  if (kind === "cdx" || kind === "spdx")
    return renderImageStatement(name, digest, PREDICATE_TYPES[kind], parseJsonObject(document, file));
  return Buffer.from(statementBytes(kind, { name: basename(name), digest }, document, file));
}

async function pushBundle(
  repository: Repository,
  { manifest }: OpenImage,
  predicateType: string,
  bundle: Bundle,
): Promise<void> {
  const annotations = {
    "dev.sigstore.bundle.content": "dsse-envelope",
    "dev.sigstore.bundle.predicateType": predicateType,
  };
  const bytes = Buffer.from(renderBundle(bundle));
  await attachReferrer(repository, manifest, { artifactType: BUNDLE_TYPE, bytes, annotations });
}

async function pushSimpleSignature(repository: Repository, image: OpenImage, signer: Signer): Promise<void> {
  const { digest } = image.manifest;
  const payload = renderSimpleSigning(image.name, digest);
  const bundle = await signArtifact(sha256(payload), signer);
  if (bundle.content.$case !== "messageSignature") return;
  const signature = bundle.content.messageSignature.signature.toString("base64");
  const annotations = { [SIGNATURE_ANNOTATION]: signature, ...witnessAnnotations(bundle) };
  await appendLayer(repository, cosignTag(digest, "sig"), payload, { mediaType: SIMPLE_SIGNING_TYPE, annotations });
}

async function pushEnvelope(
  repository: Repository,
  digest: Sha256,
  predicateType: string,
  bundle: Bundle,
): Promise<void> {
  if (bundle.content.$case !== "dsseEnvelope" || !hasOlderForm(bundle)) return;
  // Without the timestamp: cosign wants that of the whole envelope here, and ours is of the signature, as in bundles.
  const { [TIMESTAMP_ANNOTATION]: _, ...witness } = witnessAnnotations(bundle);
  const annotations = { [SIGNATURE_ANNOTATION]: "", predicateType, ...witness };
  // Just as it was told to the log, whose entry holds the hash of it.
  const bytes = Buffer.from(JSON.stringify(envelopeToJSON(bundle.content.dsseEnvelope)));
  await appendLayer(repository, cosignTag(digest, "att"), bytes, { mediaType: ENVELOPE_TYPE, annotations });
}

/** A certificate needs a time, and only a log's can be told in the older form of attestations. */
function hasOlderForm({ verificationMaterial: { content, tlogEntries } }: Bundle): boolean {
  return content.$case === "publicKey" || tlogEntries.length > 0;
}

/** What a bundle holds besides the signature, as cosign's older form has it. */
function witnessAnnotations({ verificationMaterial }: Bundle): Readonly<Record<string, string>> {
  const { content, tlogEntries, timestampVerificationData } = verificationMaterial;
  const [entry] = tlogEntries;
  const [timestamp] = timestampVerificationData?.rfc3161Timestamps ?? [];
  const found: Record<string, string> = {};
  if (content.$case === "certificate")
    found[CERTIFICATE_ANNOTATION] = new X509Certificate(content.certificate.rawBytes).toString();
  if (entry?.inclusionPromise !== undefined) {
    found["dev.sigstore.cosign/bundle"] = JSON.stringify({
      SignedEntryTimestamp: entry.inclusionPromise.signedEntryTimestamp.toString("base64"),
      Payload: {
        body: entry.canonicalizedBody.toString("base64"),
        integratedTime: Number(entry.integratedTime),
        logIndex: Number(entry.logIndex),
        logID: entry.logId.keyId.toString("hex"),
      },
    });
  }
  if (timestamp !== undefined) {
    const text = timestamp.signedTimestamp.toString("base64");
    found[TIMESTAMP_ANNOTATION] = JSON.stringify({ SignedRFC3161Timestamp: text });
  }
  return found;
}

/** Keeps what others have put under the tag; what is there already is not added again. */
async function appendLayer(
  repository: Repository,
  tag: string,
  bytes: Buffer,
  { mediaType, annotations }: Pick<Descriptor, "mediaType" | "annotations">,
): Promise<void> {
  const layer: Descriptor = { mediaType, digest: sha256(bytes), size: bytes.length, annotations: annotations ?? {} };
  const there = await pullManifest(repository, tag);
  const layers = there?.layers ?? [];
  const isSame = (known: Descriptor): boolean =>
    known.digest === layer.digest &&
    known.annotations?.[SIGNATURE_ANNOTATION] === layer.annotations?.[SIGNATURE_ANNOTATION];
  if (layers.some(isSame)) return;
  await pushBlob(repository, bytes, layer.digest);
  await pushBlob(repository, EMPTY_CONFIG, sha256(EMPTY_CONFIG));
  const manifest = renderArtifactManifest({
    artifactType: undefined,
    layers: [...layers, layer],
    subject: undefined,
    annotations: there?.annotations ?? {},
  });
  await pushManifest(repository, tag, manifest, MANIFEST_TYPE);
}

function usage(field: string, found: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", field, found, expected, fix: "correct the command line" });
}
