// SPDX-License-Identifier: Apache-2.0
// Writes what lies beside an artifact: checksum, SBOMs, provenance, signatures. A producer makes one file; the list below
// is in the order of making, so that a producer may sign or name what those before it made. A file appears whole or not
// at all, after its artifact.
import { rm } from "node:fs/promises";
import type { BlobSource } from "../encode/read-layout.ts";
import type { Signer } from "../evidence/signer.ts";
import { replaceFile } from "../host/partial-file.ts";
import type { Store } from "../host/store.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Layout } from "../layout/extent.ts";
import type { OutputPlan, Plan } from "../plan/plan.ts";
import type { BuildFacts } from "./build-facts.ts";
import type { LoadedRelease } from "./load-release.ts";
import { removeLeftEvidence } from "./left-evidence.ts";
import type { Describer } from "./sbom-evidence.ts";
import { SBOM_PRODUCERS } from "./sbom-evidence.ts";
import { PROVENANCE_PRODUCER, SIGNATURE_PRODUCERS } from "./sign-evidence.ts";

/** One artifact, complete under its final name, and everything it was made of. */
export interface EvidenceContext {
  readonly store: Store;
  readonly blobs: BlobSource;
  readonly release: LoadedRelease;
  readonly plan: Plan;
  readonly output: OutputPlan;
  readonly layout: Layout;
  /** The artifact's path; evidence is written beside it. */
  readonly path: string;
  /** SHA-256 of the artifact's bytes, as read back. */
  readonly digest: Sha256;
  /** Describes the artifacts of this build. */
  readonly describer: Describer;
  readonly facts: BuildFacts;
  /** Undefined: nothing is signed. */
  readonly signer: Signer | undefined;
}

export interface EvidenceProducer {
  /** What follows the artifact's file name: `.sha256`. */
  readonly suffix: string;
  /** The file's bytes; undefined when this build has none. `made` holds the files so far by suffix. */
  readonly make: (
    context: EvidenceContext,
    made: ReadonlyMap<string, Buffer>,
  ) => Promise<Uint8Array | string | undefined>;
}

const PRODUCERS: readonly EvidenceProducer[] = [
  { suffix: ".sha256", make: async ({ digest, output }) => `${digest}  ${output.file}\n` }, // as sha256sum writes it
  ...SBOM_PRODUCERS,
  PROVENANCE_PRODUCER,
  ...SIGNATURE_PRODUCERS,
];

/** Returns the paths of what it wrote. Throws OUTPUT_UNWRITABLE, DISK_FULL, and what a producer throws. */
export async function writeEvidence(context: EvidenceContext): Promise<readonly string[]> {
  const made = new Map<string, Buffer>();
  for (const { suffix, make } of PRODUCERS) {
    const bytes = await make(context, made);
    if (bytes === undefined) {
      await rm(`${context.path}${suffix}`, { force: true }); // of an earlier build: it would be about another artifact
      continue;
    }
    const file =
      typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    made.set(suffix, file);
    await replaceFile(`${context.path}${suffix}`, file, false); // no more durable than the artifact
  }
  await removeLeftEvidence(context.path, context.digest);
  return [...made.keys()].map((suffix) => `${context.path}${suffix}`);
}
