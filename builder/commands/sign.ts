// SPDX-License-Identifier: Apache-2.0
// dodeka sign: signs artifacts and the evidence beside them, so that the key need not be where images are built; and
// images in registries, to which it attaches what it makes.
import { basename } from "node:path";
import { FactoryError, FactoryErrors } from "../errors.ts";
import type { Signer } from "../evidence/signer.ts";
import { checkEvidence, problemsOf } from "../evidence/checks.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { SIGNATURE_SUFFIX, STATEMENT_KINDS, attestationSuffix } from "../evidence/kinds.ts";
import { readEvidenceFiles, streamArtifact } from "../host/evidence-files.ts";
import { replaceFile } from "../host/partial-file.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";
import { isImage } from "./open-image.ts";
import { makeSignature } from "./sign-evidence.ts";
import type { AttachedStatement } from "./sign-image.ts";
import { openSigner } from "./sign-options.ts";
import type { SigningOptions } from "./sign-options.ts";

/**
 * Writes a bundle for each artifact and for each document beside it, replacing older ones; images get theirs in the
 * registry, with `statements`. Throws EVIDENCE_INVALID, and signs nothing, when a document is about another file.
 */
export async function runSign(
  context: CommandContext,
  targets: readonly string[],
  options: SigningOptions,
  statements: readonly AttachedStatement[] = [],
): CommandResult {
  const images = targets.filter(isImage);
  if (statements.length > 0 && (images.length !== 1 || targets.length !== 1)) throw onlyOneImage(targets);
  const signer = await openSigner(context, options);
  for (const target of targets) {
    await asStep(context, `sign ${basename(target)}`, async () => {
      if (!isImage(target)) return signFile(target, signer);
      const { signImage } = await import("./sign-image.ts");
      return signImage(context, target, signer, statements);
    });
  }
  return undefined;
}

async function signFile(path: string, signer: Signer): Promise<void> {
  const { documents, digest } = await readChecked(path);
  for (const suffix of [SIGNATURE_SUFFIX, ...STATEMENT_KINDS.map(attestationSuffix)]) {
    const bundle = await makeSignature(suffix, { name: basename(path), digest }, documents, signer);
    if (bundle !== undefined) await replaceFile(path + suffix, bundle);
  }
}

function onlyOneImage(targets: readonly string[]): FactoryError {
  return new FactoryError({
    code: "USAGE",
    field: "--statement",
    found: targets.join(" "),
    expected: "one image: documents of files lie beside them",
    fix: "sign the image alone",
  });
}

async function readChecked(
  path: string,
): Promise<{ readonly documents: ReadonlyMap<string, Buffer>; readonly digest: Sha256 }> {
  const documents = await readEvidenceFiles(path, EVIDENCE_MAX_BYTES);
  const { size, ...artifact } = await streamArtifact(path, false);
  const demands = { signers: [], require: [], minimumCoverage: undefined };
  const checks = checkEvidence({ name: basename(path), size, artifact, files: documents }, demands);
  const problems = problemsOf(checks);
  if (problems.length > 0) throw new FactoryErrors(problems);
  return { documents, digest: artifact.digest };
}
