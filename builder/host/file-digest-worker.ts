// SPDX-License-Identifier: Apache-2.0
// Worker thread of file-digest.ts: hashes the ranges it is told of, answers with the digest, and ends.
import { parentPort, workerData } from "node:worker_threads";
import { bug } from "../errors.ts";
import { createRangeHasher } from "./range-hasher.ts";
import type { FileRange } from "./range-hasher.ts";

/** What the writer sends: ranges in file order, then the end. */
export type DigestMessage = FileRange | { readonly kind: "end" };

const port = parentPort;
if (port === null) throw bug("file-digest-worker is not a program of its own");
const hasher = createRangeHasher((workerData as { readonly fd: number }).fd);
port.on("message", (message: DigestMessage) => {
  if (message.kind !== "end") {
    hasher.update(message);
    return;
  }
  port.postMessage(hasher.digest());
  port.close();
});
