// SPDX-License-Identifier: Apache-2.0
// Downloads into the store. Whatever a server answers, only bytes with the digest the caller expects get a name.
// Plain http is fine for archives: trust comes from digests and signatures, never from the transport.
import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { Store } from "./store.ts";
import { putStream } from "./store.ts";

const ATTEMPTS = 4;
const IDLE_TIMEOUT_MS = 60_000;

export interface Expectation {
  readonly digest: Sha256;
  /** Bytes. */
  readonly size: number;
  /** How messages name it: a package, an index. */
  readonly what: string;
  readonly onBytes?: (total: number) => void;
}

/**
 * Fetches `url` and stores it. Retries passing faults. Throws SOURCE_GONE on 404 and 410, LOCK_MISMATCH when the
 * bytes are not the expected ones, NETWORK when nobody answers.
 */
export async function fetchBlob(
  store: Store,
  url: string,
  expected: Expectation,
  signal?: AbortSignal,
): Promise<BlobRef> {
  return withRetries(expected.what, url, signal, async (attempt) => {
    const body = await request(url, expected.what, attempt);
    return putStream(store, body, {
      maxBytes: expected.size,
      check: (blob) => refuseOther(blob, expected, url),
      ...(expected.onBytes === undefined ? {} : { onBytes: expected.onBytes }),
    });
  });
}

/** Fetches a small document of at most `maxBytes`, unverified: the caller checks its signature or digest. */
export async function fetchBytes(
  url: string,
  what: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return withRetries(what, url, signal, async (attempt) => {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of await request(url, what, attempt)) {
      size += chunk.length;
      if (size > maxBytes) throw mismatch(what, url, `more than ${maxBytes} bytes`, `at most ${maxBytes} bytes`);
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  });
}

async function withRetries<T>(
  what: string,
  url: string,
  signal: AbortSignal | undefined,
  once: (s: AbortSignal) => Promise<T>,
): Promise<T> {
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    signal?.throwIfAborted();
    if (attempt > 0) await sleep(500 * 4 ** (attempt - 1), undefined, signal === undefined ? {} : { signal });
    const idle = new AbortController();
    try {
      return await once(signal === undefined ? idle.signal : AbortSignal.any([idle.signal, signal]));
    } catch (error) {
      // A short answer may be a broken connection behind a proxy, so it is asked for again before it is believed.
      const retry = !(error instanceof FactoryError) || (error.code === "LOCK_MISMATCH" && attempt < ATTEMPTS - 1);
      if (!retry) throw error;
      last = error;
    } finally {
      idle.abort();
    }
  }
  signal?.throwIfAborted();
  throw new FactoryError({
    code: "NETWORK",
    file: url,
    field: what,
    found: last instanceof Error ? last.message : String(last),
    expected: "an answer",
    fix: "check the network, or set DODEKA_DEBIAN_MIRROR to an archive that is reachable",
    cause: last,
  });
}

async function request(url: string, what: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const response = await fetch(url, { signal, headers: { "accept-encoding": "identity" } });
  if (response.status === 404 || response.status === 410) throw gone(what, url, response.status);
  if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
  return withIdleTimeout(response.body);
}

async function* withIdleTimeout(body: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const timer = new AbortController();
      const late = sleep(IDLE_TIMEOUT_MS, "late" as const, { signal: timer.signal, ref: false }).catch(
        () => "stopped" as const,
      );
      const next = await Promise.race([reader.read(), late]);
      timer.abort();
      if (next === "late" || next === "stopped") throw new Error(`no data for ${IDLE_TIMEOUT_MS / 1000} s`);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function refuseOther(blob: BlobRef, expected: Expectation, url: string): void {
  if (blob.digest === expected.digest && blob.size === expected.size) return;
  throw mismatch(expected.what, url, describe(blob), describe(expected));
}

function describe(blob: BlobRef): string {
  return `${blob.size} bytes with SHA-256 ${blob.digest}`;
}

function mismatch(what: string, url: string, found: string, expected: string): FactoryError {
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
