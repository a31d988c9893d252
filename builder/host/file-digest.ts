// SPDX-License-Identifier: Apache-2.0
// SHA-256 of a file that is being written. Long files are hashed by a worker on another core (starting one takes 40 ms),
// short ones at the end, here. The file's own bytes are read back, so the digest is of what the writer left in it.
import { Worker } from "node:worker_threads";
import { bug } from "../errors.ts";
import { parseSha256 } from "../layout/digest.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { DigestMessage } from "./file-digest-worker.ts";
import { createRangeHasher } from "./range-hasher.ts";
import type { FileRange } from "./range-hasher.ts";

const SHORT_FILE_BYTES = 8 << 20; // below it a worker would start later than the hash is done
const EARLY_START_BYTES = 64 << 20; // below it starting the worker would delay the writer more than it helps

export interface FileDigest {
  /** Announces the next range; its bytes are in the file already. */
  readonly add: (range: FileRange) => void;
  /** After the last range. The file must stay open until the promise settles. */
  readonly finish: () => Promise<Sha256>;
  /** Gives up: nothing reads the file when it resolves. */
  readonly abandon: () => Promise<void>;
}

/** `length` is that of the whole file, in bytes, and only decides which way to hash. */
export function startFileDigest(fd: number, length: number): FileDigest {
  const waiting: FileRange[] = [];
  let data = 0;
  let worker: HashWorker | undefined;
  const start = (): HashWorker => {
    const started = worker ?? startWorker(fd);
    for (const range of waiting.splice(0)) started.send(range);
    return (worker = started);
  };
  return {
    add: (range) => {
      waiting.push(range);
      data += range.kind === "data" ? range.length : 0;
      if (data >= EARLY_START_BYTES) start();
    },
    finish: async () => {
      if (length < SHORT_FILE_BYTES) return hashHere(fd, waiting);
      const { send, digest } = start();
      send({ kind: "end" });
      return digest;
    },
    abandon: async () => worker?.stop(),
  };
}

function hashHere(fd: number, ranges: readonly FileRange[]): Sha256 {
  const hasher = createRangeHasher(fd);
  for (const range of ranges) hasher.update(range);
  return parseSha256(hasher.digest(), "digest of a file");
}

interface HashWorker {
  readonly send: (message: DigestMessage) => void;
  readonly digest: Promise<Sha256>;
  readonly stop: () => Promise<void>;
}

function startWorker(fd: number): HashWorker {
  const worker = new Worker(new URL("./file-digest-worker.ts", import.meta.url), { workerData: { fd } });
  const { promise, resolve, reject } = Promise.withResolvers<Sha256>();
  worker.once("message", (hex: string) => {
    resolve(parseSha256(hex, "digest of a file"));
  });
  worker.once("error", reject);
  worker.once("exit", () => {
    reject(bug("the digest worker ended without an answer")); // no effect after an answer
  });
  promise.catch(() => undefined); // a writer that failed first does not wait for it
  return {
    digest: promise,
    send: (message) => {
      worker.postMessage(message, []);
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}
