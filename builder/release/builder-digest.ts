// SPDX-License-Identifier: Apache-2.0
// Names the factory's own code, so that a built-in compile step runs again when the code that performs it changed.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";

const FOLDERS = ["layout", "encode", "release"];

/** Digest of the sources that built-in steps are made of, and of the Node that runs them (its zstd decides bytes). */
export async function builderDigest(): Promise<Sha256> {
  const files: Record<string, Sha256> = {};
  for (const folder of FOLDERS) {
    const dir = fileURLToPath(new URL(`../${folder}`, import.meta.url));
    for (const name of (await readdir(dir)).filter((n) => n.endsWith(".ts"))) {
      files[`${folder}/${name}`] = sha256(await readFile(join(dir, name)));
    }
  }
  return sha256(canonicalJson({ files, node: process.versions.node, zstd: process.versions["zstd"] ?? "" }));
}
