// SPDX-License-Identifier: Apache-2.0
// One repository of an OCI registry: pulls and pushes manifests and blobs by digest.
// Spec: OCI distribution-spec 1.1. Left out: chunked uploads, mounting from other repositories, deleting, listing tags.
import { createHash } from "node:crypto";
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { answerChallenge, parseChallenge } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Http, HttpAnswer, HttpRequest } from "./http.ts";
import { checkedUrl, invalidAnswer, isLoopback, nextUrl, readAnswer } from "./http.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_MAX_BYTES, MANIFEST_TYPES, parseManifest } from "./manifest.ts";

export interface RegistryOptions {
  readonly http: Http;
  readonly credentials: Credentials;
}

export interface Repository {
  readonly url: URL;
  readonly send: <T>(request: RepositoryRequest, consume: (answer: HttpAnswer) => Promise<T>) => Promise<T>;
}

export interface RepositoryRequest extends Omit<HttpRequest, "url" | "authorization"> {
  /** Below `/v2/<repository>/`, or a whole address that the registry gave. */
  readonly path: string | URL;
}

/** Opens no connection yet. Throws USAGE for a host that is none. */
export function openRepository({ http, credentials }: RegistryOptions, host: string, repository: string): Repository {
  const base = checkedUrl(`https://${host}/`);
  const origin = isLoopback(base.hostname) ? checkedUrl(`http://${host}/`) : base;
  const url = new URL(`/v2/${repository}/`, origin);
  const known = new Map<string, string>(); // Authorization by what we may do
  const send: Repository["send"] = async ({ path, ...request }, consume) => {
    const actions = request.method === "GET" || request.method === "HEAD" ? "pull" : "pull,push";
    const target = typeof path === "string" ? new URL(path, url) : path;
    const isOurs = target.origin === url.origin; // an upload may go on at another host, which is not to know us
    const attempt = (): HttpRequest => ({
      ...request,
      url: target,
      authorization: isOurs ? known.get(actions) : undefined,
    });
    const first = await http(attempt(), async (answer) =>
      answer.status === 401 && isOurs
        ? { challenge: parseChallenge(answer.headers.get("www-authenticate")) }
        : { value: await consume(answer) },
    );
    if ("value" in first) return first.value;
    const scope = `repository:${repository}:${actions}`;
    const credential = credentials.get(host);
    const header = await answerChallenge(http, { challenge: first.challenge, url, scope, credential });
    if (header === undefined) throw refused(target, request.what, 401);
    known.set(actions, header);
    return http(attempt(), consume);
  };
  return { url, send };
}

/** By tag or by digest (`sha256:…`), which the bytes must then have. Undefined when there is none. */
export async function pullManifest(repository: Repository, reference: string): Promise<Manifest | undefined> {
  const what = `manifest ${reference}`;
  const request = { method: "GET", path: `manifests/${reference}`, what } as const;
  return repository.send({ ...request, headers: { accept: MANIFEST_TYPES.join(", ") } }, async (answer) => {
    if (answer.status === 404) return undefined;
    expectStatus(answer, what, 200);
    const bytes = await readAnswer(answer, MANIFEST_MAX_BYTES, what);
    const type = (answer.headers.get("content-type") ?? "").replace(/;.*$/, "").trim();
    const manifest = parseManifest(bytes, type, `${answer.url.host} ${what}`);
    const stated = reference.startsWith("sha256:") ? reference : answer.headers.get("docker-content-digest");
    if (stated !== null && stated !== `sha256:${manifest.digest}`)
      throw invalidAnswer(answer.url, what, `SHA-256 ${manifest.digest}`, stated);
    return manifest;
  });
}

/** A blob of at most `maxBytes`, hashed. Throws REGISTRY_REFUSED, REGISTRY_INVALID. */
export async function pullBlob(repository: Repository, blob: BlobRef, maxBytes: number): Promise<Buffer> {
  const what = `blob sha256:${blob.digest}`;
  if (blob.size > maxBytes) throw invalidAnswer(repository.url, what, `${blob.size} bytes`, `at most ${maxBytes}`);
  return repository.send({ method: "GET", path: `blobs/sha256:${blob.digest}`, what }, async (answer) => {
    expectStatus(answer, what, 200);
    const bytes = await readAnswer(answer, blob.size, what);
    const digest = createHash("sha256").update(bytes).digest("hex");
    if (bytes.length === blob.size && digest === blob.digest) return bytes;
    throw invalidAnswer(answer.url, what, `${bytes.length} bytes with SHA-256 ${digest}`, `${blob.size} bytes`);
  });
}

/** Uploads what the repository lacks. Throws REGISTRY_REFUSED, REGISTRY_INVALID. */
export async function pushBlob(repository: Repository, bytes: Uint8Array, digest: Sha256): Promise<void> {
  const what = `blob sha256:${digest}`;
  const isThere = await repository.send(
    { method: "HEAD", path: `blobs/sha256:${digest}`, what },
    async ({ status }) => status === 200,
  );
  if (isThere) return;
  const start = { method: "POST", path: "blobs/uploads/", what, body: bodyOf(new Uint8Array()) } as const;
  const location = await repository.send(start, async (answer) => {
    expectStatus(answer, what, 202);
    return nextUrl(answer.headers.get("location"), answer.url, `upload of ${what}`);
  });
  location.searchParams.set("digest", `sha256:${digest}`);
  const headers = { "content-type": "application/octet-stream" };
  await repository.send({ method: "PUT", path: location, what, headers, body: bodyOf(bytes) }, async (answer) => {
    expectStatus(answer, what, 201);
  });
}

export interface Pushed {
  readonly digest: Sha256;
  /** False for a registry that knows no referrers: somebody must write their list. */
  readonly listsReferrers: boolean;
}

/** `reference`: a tag, or the manifest's own digest. */
export async function pushManifest(
  repository: Repository,
  reference: string,
  bytes: Uint8Array,
  mediaType: string,
): Promise<Pushed> {
  const what = `manifest ${reference}`;
  const { digest } = parseManifest(bytes, mediaType, what);
  const request = { method: "PUT", path: `manifests/${reference}`, what, headers: { "content-type": mediaType } };
  return repository.send({ ...request, method: "PUT", body: bodyOf(bytes) }, async (answer) => {
    expectStatus(answer, what, 201);
    return { digest, listsReferrers: answer.headers.get("oci-subject") !== null };
  });
}

/** Throws REGISTRY_REFUSED for 4xx, REGISTRY_INVALID for a success that is none. */
export function expectStatus({ status, url }: HttpAnswer, what: string, expected: number): void {
  if (status === expected) return;
  if (status >= 400) throw refused(url, what, status);
  throw invalidAnswer(url, what, `HTTP status ${status}`, `status ${expected}`);
}

function bodyOf(bytes: Uint8Array): NonNullable<HttpRequest["body"]> {
  return {
    size: bytes.length,
    open: async function* open(): AsyncGenerator<Uint8Array> {
      if (bytes.length > 0) yield bytes;
    },
  };
}

const REASONS: Readonly<Record<number, readonly [expected: string, fix: string]>> = {
  401: ["leave to do so", "log in to the registry, so that the credentials file has a password for it"],
  403: ["leave to do so", "ask for access to the repository"],
  404: ["what the name says", "correct the name"],
};

function refused(url: URL, field: string, status: number): FactoryError {
  const [expected, fix] = REASONS[status] ?? ["an answer", "ask whoever runs the registry"];
  const found = `HTTP status ${status}`;
  return new FactoryError({
    code: "REGISTRY_REFUSED",
    file: `${url.origin}${url.pathname}`,
    field,
    found,
    expected,
    fix,
  });
}
