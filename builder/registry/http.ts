// SPDX-License-Identifier: Apache-2.0
// HTTP as a registry or file server that may be hostile deserves: plain HTTP on the loopback interface only, silence
// bounded, passing faults retried, redirects followed by hand. An Authorization header never leaves the origin that it
// was meant for: what a storage service behind a redirect gets is the address, which carries its own signature.
// Spec: RFC 9110 sections 11 (authentication) and 15.4 (redirection). Left out: cookies, proxies of our own, resuming.
import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError } from "../errors.ts";

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

export interface HttpOptions {
  readonly signal?: AbortSignal | undefined;
  /** Pauses before the second and each later attempt, in milliseconds. */
  readonly pausesMs?: readonly number[];
  /** Longest silence of a server, before its answer and within it. */
  readonly idleMs?: number;
}

const MAX_REDIRECTS = 5;
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

export function openHttp({ signal, pausesMs = [500, 2000], idleMs = 60_000 }: HttpOptions = {}): Http {
  return async (request, consume) => {
    let last: unknown;
    for (const pauseMs of [0, ...pausesMs]) {
      signal?.throwIfAborted();
      if (pauseMs > 0) await sleep(pauseMs, undefined, signal === undefined ? {} : { signal });
      try {
        return await follow(request, consume, { signal, idleMs });
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof FactoryError) throw error;
        last = error;
      }
    }
    throw noAnswer(request, last);
  };
}

/** Collects an answer of at most `maxBytes`. Throws REGISTRY_INVALID for a longer one. */
export async function readAnswer({ body, url }: HttpAnswer, maxBytes: number, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw invalidAnswer(url, what, "a longer answer", `at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** True for the names of this very machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Throws USAGE unless it is https, or http on the loopback interface, and without credentials in it. */
export function checkedUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url !== undefined && isSafe && url.username === "" && url.password === "") return url;
  throw new FactoryError({
    code: "USAGE",
    field: "address",
    found: url === undefined ? text : `${url.protocol}//${url.host}`,
    expected: "https://, or http:// on the loopback interface, without a password in it",
    fix: "correct the address",
  });
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
  const location = headers.get("location");
  if (location === null || (method !== "GET" && method !== "HEAD"))
    throw invalidAnswer(asked, what, `HTTP status ${status}`, "an answer");
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  const isSafe =
    target?.protocol === "https:" || (target?.protocol === "http:" && isLoopback(target.hostname) && isPlain(asked));
  if (target !== undefined && isSafe && target.username === "" && target.password === "") return target;
  throw invalidAnswer(asked, what, `a redirect to ${target?.origin ?? "nowhere"}`, "a redirect to https");
}

/** A server elsewhere must not send us to services of this machine. */
function isPlain(url: URL): boolean {
  return url.protocol === "http:";
}

/** One exchange. The timer runs from the first byte sent to the last one received, and each chunk winds it up again. */
async function once<T>(
  { method, url, headers, authorization, body }: HttpRequest,
  trustedOrigin: string,
  { signal, idleMs }: Limits,
  consume: (answer: HttpAnswer) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new Error(`no data for ${idleMs / 1000} s`)), idleMs);
  const isTrusted = authorization !== undefined && url.origin === trustedOrigin;
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      signal: signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]),
      headers: {
        "accept-encoding": "identity",
        ...headers,
        ...(isTrusted ? { authorization } : {}),
        ...lengthOf(body),
      },
      ...(body === undefined ? {} : { body: watched(body.open(), timer), duplex: "half" }),
    });
    const { status } = response;
    if (status >= 500 || PASSING_STATUS.has(status)) throw new Error(`HTTP status ${status}`);
    return await consume({ status, headers: response.headers, url, body: complete(response, method, timer) });
  } finally {
    clearTimeout(timer);
    stop.abort(); // closes a connection whose answer nobody reads to its end
  }
}

function lengthOf(body: HttpRequest["body"]): Readonly<Record<string, string>> {
  return body === undefined ? {} : { "content-length": String(body.size) };
}

async function* watched(chunks: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    timer.refresh();
    yield chunk;
  }
}

/** The chunks. A connection that ends before the length that the server announced is a passing fault. */
async function* complete(
  { body, headers }: Response,
  method: HttpRequest["method"],
  timer: NodeJS.Timeout,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null || method === "HEAD") return;
  const announced = Number(headers.get("content-length") ?? Number.NaN);
  let size = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    timer.refresh();
    size += chunk.length;
    yield chunk;
  }
  if (size < announced) throw new Error(`the connection ended after ${size} of ${announced} bytes`);
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
