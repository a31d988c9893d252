// SPDX-License-Identifier: Apache-2.0
// Reads images from an OCI layout: a directory with `oci-layout`, `index.json` and `blobs/sha256/…`, as `oras copy` and
// `skopeo copy` write one. Everything is hashed when it is read.
// Spec: OCI image-spec 1.1 image-layout.md. Left out: nested indexes are not searched for tags or referrers.
import { join } from "node:path";
import { memberAt, parseJsonObject } from "../evidence/json.ts";
import { readBounded, readIfPresent } from "../host/read-bounded.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { isSha256, sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import { INDEX_TYPE } from "../layout/oci-manifest.ts";
import type { ImageSource } from "./image-source.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_MAX_BYTES, MANIFEST_TYPES, asRegistry, invalidManifest, parseManifest } from "./manifest.ts";
import { MAX_REFERRERS } from "./referrers.ts";

const LAYOUT_VERSION = "1.0.0";
const TAG = "org.opencontainers.image.ref.name";

/** Throws USAGE when a file is not there, REGISTRY_INVALID for what is no layout. */
export async function layoutSource(dir: string): Promise<ImageSource> {
  const marker = join(dir, "oci-layout");
  const bytes = await readBounded(marker, 4096);
  const version = asRegistry(marker, () => memberAt(parseJsonObject(bytes, marker), "imageLayoutVersion"));
  if (version !== LAYOUT_VERSION) throw invalidManifest(marker, "imageLayoutVersion", version, LAYOUT_VERSION);
  const file = join(dir, "index.json");
  const { manifests } = parseManifest(await readBounded(file, MANIFEST_MAX_BYTES), INDEX_TYPE, file);
  const open = (descriptor: Descriptor): Promise<Manifest> => openManifest(dir, descriptor);
  return {
    manifest: async (reference) => {
      const entry = reference.startsWith("sha256:")
        ? await findDigest(dir, manifests, reference.slice("sha256:".length))
        : manifests.find(({ annotations }) => isNamed(annotations?.[TAG], reference));
      return entry === undefined ? undefined : open(entry);
    },
    blob: (blob, maxBytes) => readLayoutBlob(dir, blob, maxBytes),
    referrers: async (digest) => {
      const known = manifests.filter(({ mediaType }) => MANIFEST_TYPES.includes(mediaType));
      if (known.length > MAX_REFERRERS)
        throw invalidManifest(file, "manifests", known.length, `at most ${MAX_REFERRERS}`);
      const all = await Promise.all(known.map(async (entry) => ({ entry, manifest: await open(entry) })));
      return all.filter(({ manifest }) => manifest.subject === digest).map(({ entry }) => entry);
    },
  };
}

/** Tools write a tag alone, or behind the repository's name. */
function isNamed(name: string | undefined, tag: string): boolean {
  return name === tag || name?.endsWith(`:${tag}`) === true;
}

/** Named by the index of the layout, or by a list of platforms that is there. */
async function findDigest(
  dir: string,
  entries: readonly Descriptor[],
  digest: string,
): Promise<Descriptor | undefined> {
  const entry = entries.find((known) => known.digest === digest);
  if (entry !== undefined || !isSha256(digest)) return entry;
  const lists = entries.filter(({ mediaType }) => /index|list/.test(mediaType));
  for (const list of lists) {
    const found = (await openManifest(dir, list)).manifests.find((known) => known.digest === digest);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function openManifest(dir: string, descriptor: Descriptor): Promise<Manifest> {
  const bytes = await readLayoutBlob(dir, descriptor, MANIFEST_MAX_BYTES);
  return parseManifest(bytes, descriptor.mediaType, blobFile(dir, descriptor.digest));
}

async function readLayoutBlob(dir: string, { digest, size }: BlobRef, maxBytes: number): Promise<Buffer> {
  const file = blobFile(dir, digest);
  if (size > maxBytes) throw invalidManifest(file, "size", size, `at most ${maxBytes} bytes`);
  const bytes = await readIfPresent(file, size);
  const found = bytes === undefined ? "no file" : `${bytes.length} bytes with SHA-256 ${sha256(bytes)}`;
  if (bytes !== undefined && bytes.length === size && sha256(bytes) === digest) return bytes;
  throw invalidManifest(file, "blob", found, `${size} bytes with SHA-256 ${digest}`);
}

function blobFile(dir: string, digest: Sha256): string {
  return join(dir, "blobs", "sha256", digest);
}
