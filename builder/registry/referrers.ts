// SPDX-License-Identifier: Apache-2.0
// What says something about a manifest: lists it, and adds to it. Registries list referrers themselves, or else clients
// keep the list under a tag made of the digest.
// Spec: OCI distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema".
// Limit: the list under a tag is read and written without a lock, so that two writers at once lose one entry.
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import {
  EMPTY_CONFIG,
  INDEX_TYPE,
  MANIFEST_TYPE,
  renderArtifactManifest,
  renderIndex,
} from "../layout/oci-manifest.ts";
import { invalidAnswer, readAnswer } from "./http.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_MAX_BYTES, parseManifest } from "./manifest.ts";
import type { Repository } from "./registry.ts";
import { expectStatus, pullManifest, pushBlob, pushManifest } from "./registry.ts";

const MAX_PAGES = 16;
export const MAX_REFERRERS = 256;

/** Every manifest whose subject is `digest`, as the registry or the tag says; whether it is so, the manifests say. */
export async function listReferrers(repository: Repository, digest: Sha256): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  let path: string | URL | undefined = `referrers/sha256:${digest}`;
  for (let page = 1; path !== undefined; page++) {
    const answer: Page | undefined = await readPage(repository, path);
    const index = answer === undefined ? await pullManifest(repository, referrersTag(digest)) : answer.index;
    found.push(...(index?.manifests ?? []));
    path = answer?.next;
    if (found.length > MAX_REFERRERS || (path !== undefined && page === MAX_PAGES))
      throw invalidAnswer(repository.url, "referrers", `${found.length} or more`, `at most ${MAX_REFERRERS} referrers`);
  }
  return found;
}

interface Page {
  readonly index: Manifest;
  readonly next: URL | undefined;
}

/** Undefined where the registry knows no such list. */
async function readPage(repository: Repository, path: string | URL): Promise<Page | undefined> {
  const what = "referrers";
  return repository.send({ method: "GET", path, what, headers: { accept: INDEX_TYPE } }, async (answer) => {
    if (answer.status === 404) return undefined;
    expectStatus(answer, what, 200);
    const type = (answer.headers.get("content-type") ?? "").replace(/;.*$/, "").trim();
    if (type !== INDEX_TYPE) throw invalidAnswer(answer.url, what, type, INDEX_TYPE);
    const index = parseManifest(await readAnswer(answer, MANIFEST_MAX_BYTES, what), type, what);
    const link = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(answer.headers.get("link") ?? "")?.[1];
    const next = link !== undefined && URL.canParse(link, answer.url.href) ? new URL(link, answer.url) : undefined;
    if (next !== undefined && next.origin !== repository.url.origin)
      throw invalidAnswer(answer.url, what, `a next page at ${next.origin}`, "the same server");
    return { index, next };
  });
}

export interface Attachment {
  readonly artifactType: string;
  readonly bytes: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Pushes a file as a referrer of `subject`, and lists it where the registry does not. Returns its manifest's digest. */
export async function attachReferrer(
  repository: Repository,
  subject: Manifest,
  { artifactType, bytes, annotations }: Attachment,
): Promise<Sha256> {
  const layer = { mediaType: artifactType, digest: sha256(bytes), size: bytes.length };
  const { digest, size, mediaType } = subject;
  const about = { mediaType, digest, size };
  const manifest = renderArtifactManifest({ artifactType, layers: [layer], subject: about, annotations });
  await pushBlob(repository, bytes, layer.digest);
  await pushBlob(repository, EMPTY_CONFIG, sha256(EMPTY_CONFIG));
  const own = sha256(manifest);
  const { listsReferrers } = await pushManifest(repository, `sha256:${own}`, manifest, MANIFEST_TYPE);
  const entry = { mediaType: MANIFEST_TYPE, digest: own, size: manifest.length, artifactType, annotations };
  if (!listsReferrers) await listUnderTag(repository, digest, entry);
  return own;
}

async function listUnderTag(repository: Repository, digest: Sha256, entry: Descriptor): Promise<void> {
  const tag = referrersTag(digest);
  const listed = (await pullManifest(repository, tag))?.manifests ?? [];
  if (listed.some((known) => known.digest === entry.digest)) return;
  await pushManifest(repository, tag, renderIndex([...listed, entry]), INDEX_TYPE);
}

function referrersTag(digest: Sha256): string {
  return `sha256-${digest}`;
}
