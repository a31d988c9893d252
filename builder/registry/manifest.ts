// SPDX-License-Identifier: Apache-2.0
// Manifests and indexes: the small documents that name everything else in a registry by digest.
// Spec: OCI image-spec 1.1 manifest.md, image-index.md, descriptor.md; Docker's schema 2, which registries still hold.
// What an attacker could do: give one document two meanings by its type. So the type that a server states and the one
// that the document states must be the same, and a document holds either layers or manifests, never both.
import { FactoryError } from "../errors.ts";
import { isObject, memberAt, parseJsonObject } from "../evidence/json.ts";
import type { JsonObject } from "../evidence/json.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { isSha256, sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import { INDEX_TYPE, MANIFEST_TYPE } from "../layout/oci-manifest.ts";

/** What we ask a registry for. */
export const MANIFEST_TYPES: readonly string[] = [
  MANIFEST_TYPE,
  INDEX_TYPE,
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
/** Registries must take manifests up to this size, and need take none above it. */
export const MANIFEST_MAX_BYTES: number = 4 << 20;
const MAX_DESCRIPTORS = 1000;

export interface Manifest extends BlobRef {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly artifactType: string | undefined;
  /** Digest of the manifest that this one is about. */
  readonly subject: Sha256 | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** Empty for an index. */
  readonly layers: readonly Descriptor[];
  /** Empty for anything but an index. */
  readonly manifests: readonly Descriptor[];
}

/** Throws REGISTRY_INVALID that names `file`. `statedType` is what a server or descriptor says. */
export function parseManifest(bytes: Uint8Array, statedType: string, file: string): Manifest {
  const refuse = (field: string, found: unknown, expected: string): FactoryError =>
    invalidManifest(file, field, found, expected);
  if (bytes.length > MANIFEST_MAX_BYTES) throw refuse("size", bytes.length, `at most ${MANIFEST_MAX_BYTES} bytes`);
  const value = asRegistry(file, () => parseJsonObject(bytes, file));
  if (value["schemaVersion"] !== 2) throw refuse("schemaVersion", value["schemaVersion"], "2");
  const own = value["mediaType"] ?? statedType;
  if (own !== statedType) throw refuse("mediaType", own, `${statedType}, as stated outside`);
  if (!MANIFEST_TYPES.includes(statedType)) throw refuse("mediaType", statedType, MANIFEST_TYPES.join(", "));
  const isIndex = /index|list/.test(statedType);
  const [absent, present] = isIndex ? ["layers", "manifests"] : ["manifests", "layers"];
  if (value[absent ?? ""] !== undefined) throw refuse(absent ?? "", "present", `none in ${statedType}`);
  const list = readDescriptors(value, present ?? "", file);
  const subject = memberAt(value, "subject");
  return {
    digest: sha256(bytes),
    size: bytes.length,
    mediaType: statedType,
    bytes: Buffer.from(bytes),
    artifactType: artifactTypeOf(value),
    subject: subject === undefined ? undefined : readDescriptor(subject, "subject", file).digest,
    annotations: readAnnotations(value["annotations"], "annotations", file),
    layers: isIndex ? [] : list,
    manifests: isIndex ? list : [],
  };
}

/** A manifest says its artifact's type itself, or by its configuration's. */
function artifactTypeOf(value: JsonObject): string | undefined {
  const stated = value["artifactType"] ?? memberAt(value["config"], "mediaType");
  return typeof stated === "string" ? stated : undefined;
}

function readDescriptors(value: JsonObject, member: string, file: string): readonly Descriptor[] {
  const list = value[member];
  if (!Array.isArray(list) || list.length > MAX_DESCRIPTORS)
    throw invalidManifest(file, member, typeof list, `a list of at most ${MAX_DESCRIPTORS}`);
  return list.map((entry: unknown, i) => readDescriptor(entry, `${member}.${i}`, file));
}

function readDescriptor(value: unknown, field: string, file: string): Descriptor {
  const [mediaType, digest, size, artifactType] = ["mediaType", "digest", "size", "artifactType"].map((member) =>
    memberAt(value, member),
  );
  const hex = typeof digest === "string" && digest.startsWith("sha256:") ? digest.slice(7) : "";
  if (!isSha256(hex)) throw invalidManifest(file, `${field}.digest`, digest, "sha256: and 64 hexadecimal digits");
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw invalidManifest(file, `${field}.size`, size, "bytes, as a whole number");
  if (typeof mediaType !== "string") throw invalidManifest(file, `${field}.mediaType`, mediaType, "a media type");
  return {
    mediaType,
    digest: hex,
    size: size as number,
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    annotations: readAnnotations(memberAt(value, "annotations"), `${field}.annotations`, file),
  };
}

function readAnnotations(value: unknown, field: string, file: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const isText = isObject(value) && Object.values(value).every((text) => typeof text === "string");
  if (isText) return value as Readonly<Record<string, string>>;
  throw invalidManifest(file, field, typeof value, "an object of texts");
}

/** What reading JSON throws, as this folder's error. */
export function asRegistry<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FactoryError) || error.code !== "EVIDENCE_INVALID") throw error;
    const { field = "document", found, expected } = error.details;
    throw invalidManifest(file, field, found, expected);
  }
}

export function invalidManifest(file: string, field: string, found: unknown, expected: string): FactoryError {
  const fix = "do not use this image; fetch or push it again";
  return new FactoryError({ code: "REGISTRY_INVALID", file, field, found, expected, fix });
}
