// SPDX-License-Identifier: Apache-2.0
// HTTP as a registry or file server that may be hostile deserves: plain HTTP on the loopback interface only, silence
// bounded, passing faults retried, redirects followed by hand. An Authorization header never leaves the origin that it
// was meant for: what a storage service behind a redirect gets is the address, which carries its own signature.
// Spec: RFC 9110 sections 11 (authentication) and 15.4 (redirection). Left out: cookies, proxies of our own, resuming.
import { FactoryError } from "../errors.ts";
import type { Patience } from "../host/patience.ts";
import { exchange, withRetries } from "../host/patience.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  readonly url: URL;
  /** How messages name it: a manifest, a blob. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Header value for the origin of `url` only. */
  readonly authorization?: string | undefined;
  /** Called again for each attempt. */
  readonly body?: { readonly size: number; readonly open: () => AsyncIterable<Uint8Array> };
}

export interface HttpAnswer {
  /** 200 to 299, or 400 to 499 for the caller to judge. */
  readonly status: number;
  readonly headers: Headers;
  /** After redirects; what a relative Location is relative to. */
  readonly url: URL;
  /** Not bounded: see `readAnswer`. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Sends, and hands the answer over while the connection is open. Throws NETWORK, REGISTRY_INVALID. */
export type Http = <T>(request: HttpRequest, consume: (answer: HttpAnswer) => Promise<T>) => Promise<T>;

export interface HttpOptions extends Partial<Patience> {
  readonly signal?: AbortSignal | undefined;
}

const MAX_REDIRECTS = 5;

export function openHttp({ signal, pausesMs = [500, 2000], idleMs = 60_000 }: HttpOptions = {}): Http {
  return (request, consume) =>
    withRetries(
      pausesMs,
      signal,
      () => follow(request, consume, { signal, idleMs }),
      (last) => noAnswer(request, last),
    );
}

/** Collects an answer of at most `maxBytes`. Throws REGISTRY_INVALID for a longer one. */
export async function readAnswer(answer: HttpAnswer, maxBytes: number, what: string): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(boundedBody(answer, maxBytes, what)));
}

/** The same as a stream. */
export async function* boundedBody(
  { body, url }: HttpAnswer,
  maxBytes: number,
  what: string,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw invalidAnswer(url, what, "a longer answer", `at most ${maxBytes} bytes`);
    yield chunk;
  }
}

/** True for the names of this very machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Throws USAGE unless it is https, or http on the loopback interface, and without credentials in it. */
export function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url !== undefined && isSafe && !hasCredentials(url)) return url;
  throw new FactoryError({
    code: "USAGE",
    field: "address",
    found: url === undefined ? text : `${url.protocol}//${url.host}`,
    expected: "https://, or http:// on the loopback interface, without a password in it",
    fix: "correct the address",
  });
}

/**
 * Where a server at `from`, itself a checked address, sends us. Throws REGISTRY_INVALID unless it is https, or http from
 * this machine to itself: a server elsewhere must not send us to what listens here without a certificate.
 */
export function nextUrl(location: string | null, from: URL, what: string): URL {
  const url = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isLocal = url?.protocol === "http:" && isLoopback(url.hostname) && from.protocol === "http:";
  if (url !== undefined && (url.protocol === "https:" || isLocal) && !hasCredentials(url)) return url;
  throw invalidAnswer(from, what, `to go on at ${url?.origin ?? "nowhere"}`, "an https address");
}

function hasCredentials({ username, password }: URL): boolean {
  return username !== "" || password !== "";
}

/** Shows no query: addresses of storage services carry signatures there. */
export function invalidAnswer(url: URL, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({
    code: "REGISTRY_INVALID",
    file: `${url.origin}${url.pathname}`,
    field,
    found,
    expected,
    fix: "do not use what this server sends",
  });
}

interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly idleMs: number;
}

async function follow<T>(
  request: HttpRequest,
  consume: (answer: HttpAnswer) => Promise<T>,
  limits: Limits,
): Promise<T> {
  let url = request.url;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const next = await once({ ...request, url }, request.url.origin, limits, async (answer) => {
      const target = redirectTarget(request, answer);
      return target === undefined ? { value: await consume(answer) } : { target };
    });
    if ("value" in next) return next.value;
    url = next.target;
  }
  throw invalidAnswer(request.url, request.what, `more than ${MAX_REDIRECTS} redirects`, "an answer");
}

/** Where to go on; undefined for an answer. Only questions are asked again elsewhere, never what changes something. */
function redirectTarget({ method, what, url: asked }: HttpRequest, answer: HttpAnswer): URL | undefined {
  const { status, headers, url } = answer;
  if (status < 300 || status >= 400) return undefined;
  if (!headers.has("location") || (method !== "GET" && method !== "HEAD"))
    throw invalidAnswer(asked, what, `HTTP status ${status}`, "an answer");
  return nextUrl(headers.get("location"), url, `redirect of ${what}`);
}

function once<T>(
  { method, url, headers, authorization, body }: HttpRequest,
  trustedOrigin: string,
  { signal, idleMs }: Limits,
  consume: (answer: HttpAnswer) => Promise<T>,
): Promise<T> {
  const request = {
    url,
    method,
    redirect: "manual",
    headers: {
      ...headers,
      ...(authorization !== undefined && url.origin === trustedOrigin ? { authorization } : {}),
      ...(body === undefined ? {} : { "content-length": String(body.size) }),
    },
    upload: body?.open(),
  } as const;
  return exchange(request, idleMs, signal, (response, chunks) =>
    consume({ status: response.status, headers: response.headers, url, body: chunks }),
  );
}

function noAnswer({ url, what }: HttpRequest, cause: unknown): FactoryError {
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new FactoryError({
    code: "NETWORK",
    file: `${url.origin}${url.pathname}`,
    field: what,
    found: reason instanceof Error ? reason.message : String(reason),
    expected: "an answer",
    fix: "check the address and the network, then try again",
    cause,
  });
}
