// SPDX-License-Identifier: Apache-2.0
// Reads an artifact once, as a stream, and the small files beside it.
import { createHash, createVerify } from "node:crypto";
import type { Verify } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { parseSha256 } from "../layout/digest.ts";
import { readBounded } from "./read-bounded.ts";

/** What evidence may be called: none of these is the evidence of `<artifact>.zst`. */
const SUFFIX = /^(?:\.sha256|\.sigstore\.json|\.[a-z0-9-]{1,40}(?:\.sigstore)?\.json)$/;
const CHUNK_BYTES = 1 << 20;

export interface StreamedArtifact {
  readonly size: number;
  readonly digest: Sha256;
  /** Has seen every byte, and gives one verdict. */
  readonly verify: Verify;
}

/** Hashes a file of any size; a second time for signatures when `forSignature`. Throws USAGE when it cannot be read. */
export async function streamArtifact(path: string, forSignature: boolean): Promise<StreamedArtifact> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK; // a pipe that nobody writes to must not hold us up
  const handle = await open(path, flags).catch((cause: unknown) => {
    throw unreadable(path, (cause as NodeJS.ErrnoException).code ?? "unreadable");
  });
  try {
    if (!(await handle.stat()).isFile()) throw unreadable(path, "no regular file");
    const [hash, verify] = [createHash("sha256"), createVerify("sha256")];
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let size = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      size += bytesRead;
      hash.update(buffer.subarray(0, bytesRead));
      if (forSignature) verify.update(buffer.subarray(0, bytesRead));
    }
    return { size, digest: parseSha256(hash.digest("hex"), path), verify };
  } finally {
    await handle.close();
  }
}

/**
 * The files beside `path` that evidence may be called, by suffix. Throws EVIDENCE_INVALID for one that is no file or too
 * long: who asks for a verdict on the artifact did not name it. Throws USAGE when the folder cannot be read.
 */
export async function readEvidenceFiles(path: string, maxBytes: number): Promise<ReadonlyMap<string, Buffer>> {
  const name = basename(path);
  const names = await readdir(dirname(path)).catch((cause: unknown) => {
    throw unreadable(dirname(path), (cause as NodeJS.ErrnoException).code ?? "unreadable");
  });
  const suffixes = names.filter((n) => n.startsWith(name)).map((n) => n.slice(name.length));
  const files = new Map<string, Buffer>();
  for (const suffix of suffixes.filter((s) => SUFFIX.test(s)).sort()) {
    const bytes = readBounded(join(dirname(path), name + suffix), maxBytes);
    files.set(
      suffix,
      await bytes.catch((error: unknown) => {
        throw asEvidence(error);
      }),
    );
  }
  return files;
}

function asEvidence(error: unknown): unknown {
  if (!(error instanceof FactoryError) || error.code !== "USAGE") return error;
  const fix = "remove it, or fetch the artifact and its evidence again";
  return new FactoryError({ ...error.details, code: "EVIDENCE_INVALID", fix });
}

function unreadable(file: string, found: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, found, expected: "a file that can be read", fix: "correct the path" });
}
