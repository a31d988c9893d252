// SPDX-License-Identifier: Apache-2.0
// Reads an artifact once, as a stream, and the small files beside it.
import { createHash, createVerify } from "node:crypto";
import type { Verify } from "node:crypto";
import { readdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { parseSha256 } from "../layout/digest.ts";
import { readBounded } from "./read-bounded.ts";
import { withRegularFile } from "./regular-file.ts";

/** What evidence may be called: none of these is the evidence of `<artifact>.zst`. */
const SUFFIX = /^(?:\.sha256|\.sigstore\.json|\.[a-z0-9-]{1,40}(?:\.sigstore)?\.json)$/;
const CHUNK_BYTES = 1 << 20;
const MOST_FILES_OF_FULL_SIZE = 4; // together; files with names that nobody knows count too

export interface StreamedArtifact {
  readonly size: number;
  readonly digest: Sha256;
  /** Has seen every byte, and gives one verdict. */
  readonly verify: Verify;
}

/** Hashes a file of any size; a second time for signatures when `forSignature`. Throws USAGE when it cannot be read. */
export function streamArtifact(path: string, forSignature: boolean): Promise<StreamedArtifact> {
  return withRegularFile(path, (handle) => digestStream(chunksOf(handle), path, forSignature));
}

/** The same for bytes from anywhere; a chunk may be overwritten once the next one is asked for. */
export async function digestStream(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  forSignature: boolean,
): Promise<StreamedArtifact> {
  const [hash, verify] = [createHash("sha256"), createVerify("sha256")];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    hash.update(chunk);
    if (forSignature) verify.update(chunk);
  }
  return { size, digest: parseSha256(hash.digest("hex"), name), verify };
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * The files beside `path` that evidence may be called, by suffix. Throws EVIDENCE_INVALID for one that is no file or too
 * long, and for more of them together than anybody needs: who asks for a verdict on the artifact did not name them.
 * Throws USAGE when the folder cannot be read.
 */
export async function readEvidenceFiles(path: string, maxBytes: number): Promise<ReadonlyMap<string, Buffer>> {
  const name = basename(path);
  const names = await readdir(dirname(path)).catch((cause: unknown) => {
    throw noFolder(dirname(path), (cause as NodeJS.ErrnoException).code ?? "unreadable");
  });
  const suffixes = names.filter((n) => n.startsWith(name)).map((n) => n.slice(name.length));
  const files = new Map<string, Buffer>();
  let left = MOST_FILES_OF_FULL_SIZE * maxBytes;
  for (const suffix of suffixes.filter((s) => SUFFIX.test(s)).sort()) {
    const reading = readBounded(join(dirname(path), name + suffix), Math.min(maxBytes, left));
    const bytes = await reading.catch((error: unknown) => {
      throw asEvidence(error);
    });
    left -= bytes.length;
    files.set(suffix, bytes);
  }
  return files;
}

function asEvidence(error: unknown): unknown {
  if (!(error instanceof FactoryError) || error.code !== "USAGE") return error;
  const fix = "remove it, or fetch the artifact and its evidence again";
  return new FactoryError({ ...error.details, code: "EVIDENCE_INVALID", fix });
}

function noFolder(file: string, found: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, found, expected: "a folder to read", fix: "correct the path" });
}
