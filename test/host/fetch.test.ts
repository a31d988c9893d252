// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fetchBlob, fetchBytes } from "../../builder/host/fetch.ts";
import { listBlobs } from "../../builder/host/store-check.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Answer } from "./local-server.ts";
import { serve } from "./local-server.ts";
import { temporaryStore } from "./temp-store.ts";

const store = await temporaryStore();
const BODY = Buffer.alloc(100_000, "package");
const expected = { digest: sha256(BODY), size: BODY.length, what: "package sample 1.0" };
const patience = { pausesMs: [1, 1], idleMs: 200 };

const whole: Answer = (_request, response) => void response.end(BODY);
/** Answers by each of `answers` in turn, then by the last one for ever. */
function inTurn(...answers: readonly Answer[]): Answer {
  let next = 0;
  return (request, response) => answers[Math.min(next++, answers.length - 1)]?.(request, response);
}

const short: Answer = (_request, response) => void response.end(BODY.subarray(0, 500));
const cut: Answer = (_request, response) => {
  response.writeHead(200, { "content-length": BODY.length });
  response.write(BODY.subarray(0, 500), () => response.destroy());
};
const reset: Answer = (request) => void request.socket.destroy();
const silent: Answer = () => undefined;
const stalled: Answer = (_request, response) => void response.write(BODY.subarray(0, 500));
const status =
  (code: number): Answer =>
  (_request, response) =>
    void response.writeHead(code).end();

test("fetchBlob stores the expected bytes and reports them on the way", async () => {
  const { base } = await serve(whole);
  const seen: number[] = [];
  const blob = await fetchBlob(store, `${base}/a`, { ...expected, onBytes: (n) => seen.push(n) }, { patience });
  assert.deepEqual([blob, seen.at(-1)], [{ digest: expected.digest, size: BODY.length }, BODY.length]);
  assert.deepEqual(await listBlobs(store), [expected.digest]);
});

const PASSING: Readonly<Record<string, Answer>> = {
  "a short answer": short,
  "a connection cut in the middle": cut,
  "a connection reset before an answer": reset,
  "a server that never answers": silent,
  "a server that stops in the middle": stalled,
  "status 503": status(503),
  "status 429": status(429),
};

for (const [what, answer] of Object.entries(PASSING)) {
  test(`fetchBlob asks again after ${what}`, async () => {
    const { base, asked } = await serve(inTurn(answer, whole));
    await fetchBlob(store, `${base}/a`, expected, { patience });
    assert.equal(asked.length, 2);
  });
}

const endless: Answer = (_request, response) => {
  const more = (): void => {
    while (response.write(BODY));
  };
  response.on("drain", more);
  more();
};
const otherBytes: Answer = (_request, response) => void response.end(Buffer.alloc(BODY.length, "tampered"));

const FINAL: readonly (readonly [what: string, answer: Answer, code: string, requests: number])[] = [
  ["status 404", status(404), "SOURCE_GONE", 1],
  ["status 410", status(410), "SOURCE_GONE", 1],
  ["status 403", status(403), "NETWORK", 1],
  ["status 500 again and again", status(500), "NETWORK", 3],
  ["a server that never answers", silent, "NETWORK", 3],
  ["other bytes", otherBytes, "LOCK_MISMATCH", 1],
  ["data without end", endless, "LOCK_MISMATCH", 1],
  ["short answers again and again", short, "LOCK_MISMATCH", 3],
];

for (const [what, answer, code, requests] of FINAL) {
  test(`fetchBlob ends with ${code} after ${what}, names the package, and stores nothing`, async () => {
    const fresh = await temporaryStore();
    const { base, asked } = await serve(answer);
    await assert.rejects(fetchBlob(fresh, `${base}/a`, expected, { patience }), {
      code,
      message: /package sample 1\.0/,
    });
    assert.equal(asked.length, requests);
    assert.deepEqual([await listBlobs(fresh), readdirSync(join(fresh.dir, "tmp"))], [[], []]);
  });
}

test("fetchBlob ends at once when it is aborted", async () => {
  const { base } = await serve(silent);
  const reason = new Error("Ctrl-C");
  const slow = { pausesMs: [60_000], idleMs: 60_000 };
  const options = { patience: slow, signal: AbortSignal.timeout(50) };
  await assert.rejects(fetchBlob(store, `${base}/a`, expected, options), { name: "TimeoutError" });
  await assert.rejects(
    fetchBlob(store, `${base}/a`, expected, { patience: slow, signal: AbortSignal.abort(reason) }),
    reason,
  );
});

test("fetchBlob says what to do where nobody listens", async () => {
  const wanted = { code: "NETWORK", message: /package sample 1\.0/ };
  await assert.rejects(fetchBlob(store, "http://127.0.0.1:9/a", expected, { patience }), wanted);
});

test("fetchBytes gives a document up to its bound and refuses one above it", async () => {
  const { base } = await serve(whole);
  assert.equal((await fetchBytes(`${base}/a`, "index", BODY.length, { patience })).length, BODY.length);
  await assert.rejects(fetchBytes(`${base}/a`, "index", BODY.length - 1, { patience }), { code: "LOCK_MISMATCH" });
});
