// SPDX-License-Identifier: Apache-2.0
// dodeka sign: signs artifacts and the evidence beside them, so that the key need not be where images are built.
import { basename } from "node:path";
import { FactoryErrors } from "../errors.ts";
import { checkEvidence, problemsOf } from "../evidence/checks.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { SIGNATURE_SUFFIX, STATEMENT_KINDS, attestationSuffix } from "../evidence/kinds.ts";
import { readEvidenceFiles, streamArtifact } from "../host/evidence-files.ts";
import { replaceFile } from "../host/partial-file.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";
import { makeSignature } from "./sign-evidence.ts";
import { openSigner } from "./sign-options.ts";
import type { SigningOptions } from "./sign-options.ts";

/**
 * Writes a bundle for each artifact and for each document beside it, replacing older ones. Throws EVIDENCE_INVALID, and
 * signs nothing, when a document is about another file.
 */
export async function runSign(
  context: CommandContext,
  files: readonly string[],
  options: SigningOptions,
): CommandResult {
  const signer = await openSigner(context, options);
  for (const path of files) {
    await asStep(context, `sign ${basename(path)}`, async () => {
      const { documents, digest } = await readChecked(path);
      for (const suffix of [SIGNATURE_SUFFIX, ...STATEMENT_KINDS.map(attestationSuffix)]) {
        const bundle = await makeSignature(suffix, { name: basename(path), digest }, documents, signer);
        if (bundle !== undefined) await replaceFile(path + suffix, bundle);
      }
    });
  }
  return undefined;
}

async function readChecked(
  path: string,
): Promise<Pick<Awaited<ReturnType<typeof streamArtifact>>, "digest"> & { documents: ReadonlyMap<string, Buffer> }> {
  const documents = await readEvidenceFiles(path, EVIDENCE_MAX_BYTES);
  const { size, ...artifact } = await streamArtifact(path, false);
  const demands = { signers: [], require: [], minimumCoverage: undefined };
  const checks = checkEvidence({ name: basename(path), size, artifact, files: documents }, demands);
  const problems = problemsOf(checks);
  if (problems.length > 0) throw new FactoryErrors(problems);
  return { documents, digest: artifact.digest };
}
