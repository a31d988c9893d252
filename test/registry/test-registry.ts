// SPDX-License-Identifier: Apache-2.0
// A registry on the loopback interface, in memory: the other side of builder/registry. It makes valid answers unless a
// test tells it to lie, and keeps what it was asked.
import { createHash } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { INDEX_TYPE, MANIFEST_TYPE } from "../../builder/layout/oci-manifest.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly authorization: string | undefined;
}

export interface RegistryOptions {
  /** Answers `/referrers/`, and says so when a manifest has a subject. */
  readonly referrers?: boolean;
  readonly auth?: "basic" | "bearer";
  /** Sends readers of blobs to another origin. */
  readonly storage?: boolean;
  /** Answers in place of the registry when it gives true. */
  readonly lie?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface TestRegistry {
  readonly host: string;
  readonly seen: readonly SeenRequest[];
  /** By digest, `sha256:…`. */
  readonly blobs: Map<string, Buffer>;
  /** By tag and by digest, of all repositories. */
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Buffer }>;
  /** An image of one layer, a tar, under some tags. Returns its digest, without `sha256:`. */
  readonly addImage: (tags: readonly string[], layer: Buffer, config?: object) => string;
  /** An image that nobody unpacks. */
  readonly seed: (tag: string, content: string) => string;
  readonly close: () => void;
}

export const USER = "alice";
export const PASSWORD = "s3cret";
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
const TOKEN = "token-of-the-test";

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const seen: SeenRequest[] = [];
  const blobs: TestRegistry["blobs"] = new Map();
  const manifests: TestRegistry["manifests"] = new Map();
  const uploads = new Map<string, Buffer>(); // in two steps, as cosign makes them
  const record = ({ method = "", url = "", headers }: IncomingMessage): void => {
    seen.push({ method, path: url, host: headers.host ?? "", authorization: headers.authorization });
  };
  const storage = await listen((request, response) => {
    record(request);
    const bytes = blobs.get((request.url ?? "").slice(1));
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  const storageUrl = `http://127.0.0.1:${portOf(storage)}`;
  const server = await listen((request, response) => {
    record(request);
    if (options.lie?.(request, response) === true) return;
    if (request.url?.startsWith("/token") === true) {
      const isKnown = request.headers.authorization === BASIC;
      response.writeHead(isKnown ? 200 : 401).end(isKnown ? JSON.stringify({ token: TOKEN }) : "");
      return;
    }
    if (!isAllowed(options, request, response)) return;
    void readBody(request).then((body) => answer(request, response, body));
  });
  const host = `127.0.0.1:${portOf(server)}`;

  function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const url = new URL(request.url ?? "", `http://${host}`);
    const [, what = "", name = ""] = /^\/v2\/.+\/(manifests|blobs|referrers)\/(.*)$/.exec(url.pathname) ?? [];
    if (what === "manifests") answerManifest(request, response, { name, body });
    else if (what === "blobs") answerBlob(request, response, { name, body, url });
    else if (what === "referrers" && options.referrers === true) answerReferrers(response, name);
    else response.writeHead(url.pathname === "/v2/" ? 200 : 404).end();
  }

  function answerManifest(request: IncomingMessage, response: ServerResponse, { name, body }: Asked): void {
    if (request.method === "PUT") {
      const digest = digestOf(body);
      const entry = { type: request.headers["content-type"] ?? "", bytes: body };
      for (const key of [name, digest]) manifests.set(key, entry);
      const { subject } = JSON.parse(body.toString()) as { subject?: { digest: string } };
      const knows = subject !== undefined && options.referrers === true;
      response.writeHead(201, { location: "/", ...(knows ? { "oci-subject": subject.digest } : {}) }).end();
      return;
    }
    const found = manifests.get(name);
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { type, bytes } = found;
    const digest = digestOf(bytes);
    response.writeHead(200, {
      "content-type": type,
      "docker-content-digest": digest,
      "content-length": bytes.length,
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }

  function answerBlob(request: IncomingMessage, response: ServerResponse, { name, body, url }: Asked & Located): void {
    if (request.method === "POST") {
      uploads.set(`${url.pathname}${uploads.size}`, Buffer.alloc(0));
      response.writeHead(202, { location: `${url.pathname}${uploads.size - 1}?state=x` }).end();
    } else if (request.method === "PATCH") {
      uploads.set(url.pathname, body);
      response.writeHead(202, { location: url.href }).end();
    } else if (request.method === "PUT") {
      const digest = url.searchParams.get("digest") ?? "";
      const bytes = body.length > 0 ? body : (uploads.get(url.pathname) ?? body);
      const isRight = digestOf(bytes) === digest && url.searchParams.get("state") === "x";
      if (isRight) blobs.set(digest, bytes);
      response.writeHead(isRight ? 201 : 400).end();
    } else if (!blobs.has(name)) response.writeHead(404).end();
    else if (request.method === "HEAD") response.writeHead(200, { "content-length": blobs.get(name)?.length }).end();
    else if (options.storage === true) response.writeHead(307, { location: `${storageUrl}/${name}` }).end();
    else response.writeHead(200).end(blobs.get(name));
  }

  function answerReferrers(response: ServerResponse, subject: string): void {
    const about = [...manifests].flatMap(([key, { bytes, type }]) => {
      const value = JSON.parse(bytes.toString()) as { subject?: { digest: string }; artifactType?: string };
      if (!key.startsWith("sha256:") || value.subject?.digest !== subject) return [];
      return [{ mediaType: type, digest: key, size: bytes.length, artifactType: value.artifactType }];
    });
    response.writeHead(200, { "content-type": INDEX_TYPE });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: about }));
  }

  const addImage: TestRegistry["addImage"] = (tags, layer, config = {}) => {
    const put = (mediaType: string, bytes: Buffer): object => {
      blobs.set(digestOf(bytes), bytes);
      return { mediaType, digest: digestOf(bytes), size: bytes.length };
    };
    const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
    const about = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs, config }));
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: put("application/vnd.oci.image.config.v1+json", about),
      layers: [put("application/vnd.oci.image.layer.v1.tar", layer)],
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    for (const key of [...tags, digestOf(bytes)]) manifests.set(key, { type: MANIFEST_TYPE, bytes });
    return digestOf(bytes).slice("sha256:".length);
  };
  const seed = (tag: string, content: string): string => addImage([tag], Buffer.from(content));
  const close = (): void => {
    for (const each of [server, storage]) {
      each.closeAllConnections();
      each.close();
    }
  };
  return { host, seen, blobs, manifests, addImage, seed, close };
}

interface Asked {
  readonly name: string;
  readonly body: Buffer;
}

interface Located {
  readonly url: URL;
}

function isAllowed({ auth }: RegistryOptions, request: IncomingMessage, response: ServerResponse): boolean {
  if (auth === undefined || request.headers.authorization === (auth === "basic" ? BASIC : `Bearer ${TOKEN}`))
    return true;
  const realm = `http://${request.headers.host ?? ""}/token`;
  const challenge = auth === "basic" ? 'Basic realm="test"' : `Bearer realm="${realm}",service="test",scope="a:b:c"`;
  request.resume();
  response.writeHead(401, { "www-authenticate": challenge }).end();
  return false;
}

function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
