// SPDX-License-Identifier: Apache-2.0
// Downloads into the store. Whatever a server answers, only bytes with the digest the caller expects get a name.
// Plain http is fine for archives: trust comes from digests and signatures, never from the transport.
// A server may send without end: length is bounded here, silence in patience.ts.
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { Patience } from "./patience.ts";
import { exchange, withRetries } from "./patience.ts";
import type { Store } from "./store.ts";
import { putStream } from "./store.ts";

const DEFAULT_PATIENCE: Patience = { pausesMs: [500, 2000, 8000], idleMs: 60_000 };

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
  return download({ ...options, what, url }, (body) =>
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
  return download({ ...options, what, url }, async (body) =>
    Buffer.concat(await Array.fromAsync(bounded(body, maxBytes, wanted))),
  );
}

interface Attempt extends FetchOptions {
  readonly what: string;
  readonly url: string;
}

async function download<T>(
  { url, what, signal, patience = DEFAULT_PATIENCE }: Attempt,
  consume: (body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const attempt = (): Promise<T> =>
    exchange({ url }, patience.idleMs, signal, async ({ status, ok, body }, chunks) => {
      if (status === 404 || status === 410) throw gone(what, url, status);
      const fault = new Error(`HTTP status ${status}`);
      if (status >= 400 && status < 500) throw noAnswer(url, what, fault);
      if (!ok || body === null) throw fault;
      return consume(chunks);
    });
  return withRetries(patience.pausesMs, signal, attempt, (last) =>
    last instanceof Error && last.cause instanceof FactoryError ? last.cause : noAnswer(url, what, last),
  );
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
