// SPDX-License-Identifier: Apache-2.0
// Where an image and what is said about it are read from: a repository of a registry, or an OCI layout on disk.
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import type { Manifest } from "./manifest.ts";
import { listReferrers } from "./referrers.ts";
import type { Repository } from "./registry.ts";
import { pullBlob, pullManifest } from "./registry.ts";

export interface ImageSource {
  /** By tag or by `sha256:…`; undefined when there is none. */
  readonly manifest: (reference: string) => Promise<Manifest | undefined>;
  /** Hashed, and at most `maxBytes` long. */
  readonly blob: (blob: BlobRef, maxBytes: number) => Promise<Buffer>;
  readonly referrers: (digest: Sha256) => Promise<readonly Descriptor[]>;
}

export function repositorySource(repository: Repository): ImageSource {
  return {
    manifest: (reference) => pullManifest(repository, reference),
    blob: (blob, maxBytes) => pullBlob(repository, blob, maxBytes),
    referrers: (digest) => listReferrers(repository, digest),
  };
}
