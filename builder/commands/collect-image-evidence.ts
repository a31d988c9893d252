// SPDX-License-Identifier: Apache-2.0
// Reads what is attached to an image: sigstore bundles as referrers, and what cosign keeps under tags made of the digest.
// Bounded in number and bytes, since anybody who may push decides how much there is.
import { FactoryError } from "../errors.ts";
import type { ImageEvidence } from "../evidence/image-checks.ts";
import { BUNDLE_TYPE } from "../evidence/bundle.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING_TYPE } from "../evidence/simple-signing.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import { EMPTY_TYPE } from "../layout/oci-manifest.ts";
import type { ImageSource } from "../registry/image-source.ts";

export const ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json";
const MAX_ITEMS = 64;
const MAX_TOTAL_BYTES = 4 * EVIDENCE_MAX_BYTES;

/** cosign's tags: `sha256-<digest>.sig` for signatures, `.att` for attestations. */
export function cosignTag(digest: Sha256, kind: "sig" | "att"): string {
  return `sha256-${digest}.${kind}`;
}

/** Throws REGISTRY_INVALID when it is more than anybody needs. */
export async function collectImageEvidence(source: ImageSource, digest: Sha256): Promise<readonly ImageEvidence[]> {
  const layers = [...(await tagLayers(source, digest)), ...(await referrerLayers(source, digest))];
  const total = layers.reduce((sum, { layer }) => sum + layer.size, 0);
  if (layers.length > MAX_ITEMS || total > MAX_TOTAL_BYTES) throw tooMuch(layers.length, total);
  const found: ImageEvidence[] = [];
  for (const { file, layer, kind } of layers) {
    const bytes = await source.blob(layer, EVIDENCE_MAX_BYTES);
    if (kind !== "simple") found.push({ kind, file, bytes });
    else found.push({ kind, file, payload: bytes, signature: layer.annotations?.[SIGNATURE_ANNOTATION] ?? "" });
  }
  return found;
}

interface Found {
  readonly file: string;
  readonly layer: Descriptor;
  readonly kind: ImageEvidence["kind"];
}

async function tagLayers(source: ImageSource, digest: Sha256): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const [tagKind, type, kind] of [
    ["sig", SIMPLE_SIGNING_TYPE, "simple"],
    ["att", ENVELOPE_TYPE, "envelope"],
  ] as const) {
    const tag = cosignTag(digest, tagKind);
    const layers = (await source.manifest(tag))?.layers ?? [];
    for (const [i, layer] of layers.entries())
      if (layer.mediaType === type) found.push({ file: `${shortTag(tag)}#${i + 1}`, layer, kind });
  }
  return found;
}

/**
 * The list may come from anybody: that a manifest is about this image, and what it is, it must say itself. Clients that
 * keep the list under a tag write other types into it; cosign writes that of the empty configuration.
 */
async function referrerLayers(source: ImageSource, digest: Sha256): Promise<readonly Found[]> {
  const bundles = (await source.referrers(digest)).filter(
    ({ artifactType = EMPTY_TYPE }) => artifactType === BUNDLE_TYPE || artifactType === EMPTY_TYPE,
  );
  if (bundles.length > MAX_ITEMS) throw tooMuch(bundles.length, 0);
  const found: Found[] = [];
  for (const { digest: own } of bundles) {
    const manifest = await source.manifest(`sha256:${own}`);
    if (manifest?.subject !== digest || manifest.artifactType !== BUNDLE_TYPE) continue;
    const layers = manifest.layers.filter(({ mediaType }) => mediaType === BUNDLE_TYPE);
    found.push(...layers.map((layer) => ({ file: `referrer ${own.slice(0, 12)}`, layer, kind: "bundle" as const })));
  }
  return found;
}

function shortTag(tag: string): string {
  return tag.replace(/^sha256-([0-9a-f]{12})[0-9a-f]+/, "sha256-$1…");
}

function tooMuch(items: number, bytes: number): FactoryError {
  return new FactoryError({
    code: "REGISTRY_INVALID",
    field: "attached evidence",
    found: `${items} items, ${bytes} bytes`,
    expected: `at most ${MAX_ITEMS} items and ${MAX_TOTAL_BYTES} bytes`,
    fix: "remove what is not needed from the registry",
  });
}
