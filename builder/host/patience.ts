// SPDX-License-Identifier: Apache-2.0
// Patience with servers, and its end. A server may stall, or cut the connection: silence is bounded, an answer that ends
// too early is noticed, and passing faults are tried again.
import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError } from "../errors.ts";

export interface Patience {
  /** Pauses before the second and each later attempt. */
  readonly pausesMs: readonly number[];
  /** Longest silence of a server, before its answer and within it. */
  readonly idleMs: number;
}

const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

/** Tries again after anything but a FactoryError, which is a verdict. `giveUp` makes one of the last fault. */
export async function withRetries<T>(
  pausesMs: readonly number[],
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  giveUp: (last: unknown) => FactoryError,
): Promise<T> {
  let last: unknown;
  for (const pauseMs of [0, ...pausesMs]) {
    signal?.throwIfAborted();
    if (pauseMs > 0) await sleep(pauseMs, undefined, signal === undefined ? {} : { signal });
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      last = error;
    }
  }
  throw giveUp(last);
}

export interface Exchange extends Omit<RequestInit, "body" | "signal" | "headers"> {
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly upload?: AsyncIterable<Uint8Array> | undefined;
}

/**
 * One request. `use` gets the response and its body while the connection is open. The timer runs from the first byte sent
 * to the last one received, and each chunk winds it up again. Throws an Error for a status of a passing fault.
 */
export async function exchange<T>(
  { url, headers, upload, ...init }: Exchange,
  idleMs: number,
  signal: AbortSignal | undefined,
  use: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new Error(`no data for ${idleMs / 1000} s`)), idleMs);
  try {
    const response = await fetch(url, {
      ...init,
      signal: signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]),
      headers: { "accept-encoding": "identity", ...headers },
      ...(upload === undefined ? {} : { body: watched(upload, timer), duplex: "half" }),
    });
    const { status } = response;
    if (status >= 500 || PASSING_STATUS.has(status)) throw new Error(`HTTP status ${status}`);
    return await use(response, complete(response, timer));
  } finally {
    clearTimeout(timer);
    stop.abort(); // closes a connection whose answer nobody reads to its end
  }
}

async function* watched(chunks: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    timer.refresh();
    yield chunk;
  }
}

/** The chunks. A connection that ends before the length that the server announced is a passing fault. */
async function* complete({ body, headers }: Response, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const announced = Number(headers.get("content-length") ?? Number.NaN);
  let size = 0;
  for await (const chunk of watched(body, timer)) {
    size += chunk.length;
    yield chunk;
  }
  if (size < announced) throw new Error(`the connection ended after ${size} of ${announced} bytes`);
}
