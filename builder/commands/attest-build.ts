// SPDX-License-Identifier: Apache-2.0
// Evidence of the outputs of one build: prepared while a file is hashed, written while the next one is copied.
import type { PlannedOutput } from "../artifacts/planned.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import type { Signer } from "../evidence/signer.ts";
import type { Store } from "../host/store.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Plan } from "../plan/plan.ts";
import type { BuildFacts } from "./build-facts.ts";
import type { LoadedRelease } from "./load-release.ts";
import { openDescriber, sbomNote } from "./sbom-evidence.ts";
import { writeEvidence } from "./write-evidence.ts";

export interface AttestedBuild {
  readonly store: Store;
  readonly blobs: BlobSource;
  readonly release: LoadedRelease;
  readonly plan: Plan;
  readonly facts: () => Promise<BuildFacts>;
  /** Undefined: nothing is signed. */
  readonly signer: Signer | undefined;
}

/** A file under its final name. */
export interface Written {
  readonly path: string;
  /** SHA-256 of its bytes, as read back. */
  readonly digest: Sha256;
}

export interface Attester {
  /** Does what needs no digest of the file. What goes wrong is told by `attest`. */
  readonly prepare: (output: PlannedOutput) => Promise<void>;
  /** Writes everything that lies beside the file; resolves to what the build says of its SBOM. */
  readonly attest: (output: PlannedOutput, written: Written) => Promise<string>;
}

export function openAttester({ facts, ...build }: AttestedBuild): Attester {
  const describer = openDescriber(build.store, build.release, build.blobs);
  return {
    prepare: async (output) => {
      await describer.prepare(build.plan, output);
      const texts = facts().then(({ sources }) => describer.texts(sources));
      await texts.catch(() => undefined);
    },
    attest: async ({ plan: output, layout }, written) => {
      const evidence = { ...build, ...written, output, layout, describer, facts: await facts() };
      await writeEvidence(evidence);
      return sbomNote(evidence);
    },
  };
}
