// SPDX-License-Identifier: Apache-2.0
// Boot tests and second builds are made after an artifact. When it is built again and comes out the same, they still hold;
// when it does not, they would lie beside it and be about another one.
import { rm } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { BOOT_LOG_SUFFIX, REBUILD_SUFFIX, attestationSuffix, documentSuffix } from "../evidence/kinds.ts";
import { parseStatement } from "../evidence/statement.ts";
import { readIfPresent } from "../host/read-bounded.ts";
import type { Sha256 } from "../layout/digest.ts";

/** Removes what is about another artifact than the one of `digest` that `path` now names, or about none. */
export async function removeLeftEvidence(path: string, digest: Sha256): Promise<void> {
  await removeUnless(`${path}${REBUILD_SUFFIX}`, digest, bundledSubject);
  await removeUnless(`${path}${attestationSuffix("boot-test")}`, digest, bundledSubject);
  const isKept = await removeUnless(`${path}${documentSuffix("boot-test")}`, digest, async (bytes, file) => {
    return parseStatement(bytes, file).subject.digest;
  });
  if (!isKept) await rm(`${path}${BOOT_LOG_SUFFIX}`, { force: true });
}

type SubjectOf = (bytes: Uint8Array, file: string) => Promise<Sha256 | undefined>;

/** True when it is there and stays. */
async function removeUnless(file: string, digest: Sha256, subjectOf: SubjectOf): Promise<boolean> {
  const bytes = await readIfPresent(file, EVIDENCE_MAX_BYTES);
  if (bytes === undefined) return false;
  if ((await subjectOrNone(subjectOf, bytes, file)) === digest) return true;
  await rm(file, { force: true });
  return false;
}

async function subjectOrNone(subjectOf: SubjectOf, bytes: Uint8Array, file: string): Promise<Sha256 | undefined> {
  try {
    return await subjectOf(bytes, file);
  } catch (error) {
    if (error instanceof FactoryError && error.code === "EVIDENCE_INVALID") return undefined;
    throw error;
  }
}

async function bundledSubject(bytes: Uint8Array, file: string): Promise<Sha256 | undefined> {
  const { parseBundle } = await import("../evidence/bundle.ts"); // every build comes by here, few have such a file
  const { content } = parseBundle(bytes, file);
  if (content.$case !== "dsseEnvelope") return undefined;
  return parseStatement(content.dsseEnvelope.payload, file).subject.digest;
}
