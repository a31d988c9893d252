// SPDX-License-Identifier: Apache-2.0
// Writes manifests of artifacts and the indexes that list them. No times: equal content gives equal digests.
// Spec: OCI image-spec 1.1 manifest.md, "Guidelines for Artifact Usage"; image-index.md.
import { sha256 } from "./digest.ts";
import type { BlobRef } from "./digest.ts";

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

export interface Descriptor extends BlobRef {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Of the configuration of what needs none. */
export const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";
export const EMPTY_CONFIG: Buffer = Buffer.from("{}");

export interface ArtifactManifest {
  /** Undefined for cosign's own manifests, which say what they are by their layers. */
  readonly artifactType: string | undefined;
  readonly layers: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export function renderArtifactManifest({ artifactType, layers, subject, annotations }: ArtifactManifest): Buffer {
  const config = { mediaType: EMPTY_TYPE, digest: sha256(EMPTY_CONFIG), size: EMPTY_CONFIG.length };
  return render({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    ...(artifactType === undefined ? {} : { artifactType }),
    config: renderDescriptor(config),
    layers: layers.map(renderDescriptor),
    ...(subject === undefined ? {} : { subject: renderDescriptor(subject) }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
}

export function renderIndex(manifests: readonly Descriptor[]): Buffer {
  return render({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: manifests.map(renderDescriptor) });
}

function renderDescriptor({ mediaType, digest, size, artifactType, annotations = {} }: Descriptor): object {
  return {
    mediaType,
    digest: `sha256:${digest}`,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

function render(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
