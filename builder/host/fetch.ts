// SPDX-License-Identifier: Apache-2.0
// Downloads into the store. Whatever a server answers, only bytes with the digest the caller expects get a name.
// Plain http is fine for archives: trust comes from digests and signatures, never from the transport.
// A server may stall, send without end, or cut the connection: silence and length are bounded, passing faults retried.
import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { Store } from "./store.ts";
import { putStream } from "./store.ts";

export interface Patience {
  /** Pauses before the second and each later attempt. */
  readonly pausesMs: readonly number[];
  /** Longest silence of a server, before its answer and within it. */
  readonly idleMs: number;
}

const DEFAULT_PATIENCE: Patience = { pausesMs: [500, 2000, 8000], idleMs: 60_000 };
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

export interface Expectation {
  readonly digest: Sha256;
  /** Bytes. */
  readonly size: number;
  /** How messages name it: a package, an index. */
  readonly what: string;
  readonly onBytes?: (total: number) => void;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}

/**
 * Fetches `url` and stores it. Retries passing faults, a short answer among them. Throws SOURCE_GONE on 404 and 410,
 * LOCK_MISMATCH when the bytes are not the expected ones, NETWORK when nobody answers.
 */
export async function fetchBlob(
  store: Store,
  url: string,
  expected: Expectation,
  options: FetchOptions = {},
): Promise<BlobRef> {
  const { digest, size, what, onBytes } = expected;
  const wanted = `${size} bytes with SHA-256 ${digest}`;
  return withRetries({ ...options, what, url }, (body) =>
    putStream(store, bounded(body, size, { what, url, expected: wanted }), {
      check: (blob) => {
        if (blob.digest === digest && blob.size === size) return;
        const wrong = mismatch({ what, url, expected: wanted }, `${blob.size} bytes with SHA-256 ${blob.digest}`);
        // Less than expected may be a connection that broke behind a proxy: it is asked for again before it is believed.
        throw blob.size < size ? new Error("a short answer", { cause: wrong }) : wrong;
      },
      ...(onBytes === undefined ? {} : { onBytes }),
    }),
  );
}

/** Fetches a small document of at most `maxBytes`, unverified: the caller checks its signature or digest. */
export async function fetchBytes(
  url: string,
  what: string,
  maxBytes: number,
  options: FetchOptions = {},
): Promise<Uint8Array> {
  const wanted = { what, url, expected: `at most ${maxBytes} bytes` };
  return withRetries({ ...options, what, url }, async (body) =>
    Buffer.concat(await Array.fromAsync(bounded(body, maxBytes, wanted))),
  );
}

interface Attempt extends FetchOptions {
  readonly what: string;
  readonly url: string;
}

async function withRetries<T>(attempt: Attempt, consume: (body: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T> {
  const { url, what, signal, patience = DEFAULT_PATIENCE } = attempt;
  let last: unknown;
  for (const pauseMs of [0, ...patience.pausesMs]) {
    signal?.throwIfAborted();
    if (pauseMs > 0) await sleep(pauseMs, undefined, signal === undefined ? {} : { signal });
    try {
      return await once(attempt, patience.idleMs, consume);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      last = error;
    }
  }
  throw last instanceof Error && last.cause instanceof FactoryError ? last.cause : noAnswer(url, what, last);
}

/** One request. The timer runs from the first byte sent to the last one received, and each chunk winds it up again. */
async function once<T>(
  { url, what, signal }: Attempt,
  idleMs: number,
  consume: (body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new Error(`no data for ${idleMs / 1000} s`)), idleMs);
  const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  try {
    const response = await fetch(url, { signal: signals, headers: { "accept-encoding": "identity" } });
    const { status, ok, body } = response;
    if (status === 404 || status === 410) throw gone(what, url, status);
    if (status >= 400 && status < 500 && !PASSING_STATUS.has(status))
      throw noAnswer(url, what, new Error(`HTTP status ${status}`));
    if (!ok || body === null) throw new Error(`HTTP status ${status}`);
    return await consume(complete(body, Number(response.headers.get("content-length") ?? Number.NaN), timer));
  } finally {
    clearTimeout(timer);
    stop.abort(); // closes a connection whose answer nobody reads to its end
  }
}

/** The chunks. A connection that ends before the length that the server announced is a passing fault. */
async function* complete(
  body: ReadableStream<Uint8Array>,
  announced: number,
  timer: NodeJS.Timeout,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    timer.refresh();
    size += chunk.length;
    yield chunk;
  }
  if (size < announced) throw new Error(`the connection ended after ${size} of ${announced} bytes`);
}

interface Wanted {
  readonly what: string;
  readonly url: string;
  readonly expected: string;
}

async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  wanted: Wanted,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxBytes) throw mismatch(wanted, `more than ${maxBytes} bytes`);
    yield chunk;
  }
}

function noAnswer(url: string, what: string, cause: unknown): FactoryError {
  return new FactoryError({
    code: "NETWORK",
    file: url,
    field: what,
    found: cause instanceof Error ? cause.message : String(cause),
    expected: "an answer",
    fix: "check the network, or set DODEKA_DEBIAN_MIRROR to an archive that is reachable",
    cause,
  });
}

function mismatch({ what, url, expected }: Wanted, found: string): FactoryError {
  return new FactoryError({
    code: "LOCK_MISMATCH",
    file: url,
    field: what,
    found,
    expected,
    fix: "do not use this mirror; if the archive itself changed, run `dodeka lock` and review the difference",
  });
}

function gone(what: string, url: string, status: number): FactoryError {
  return new FactoryError({
    code: "SOURCE_GONE",
    file: url,
    field: what,
    found: `HTTP status ${status}`,
    expected: "the package that the lock names",
    fix: "run `dodeka lock` to refresh the lock to what the archive holds now, and review the difference",
  });
}
