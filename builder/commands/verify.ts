// SPDX-License-Identifier: Apache-2.0
// dodeka verify: checks artifacts against the evidence beside them, and images against what is attached to them. Says what
// that proves and what not. Files are checked offline; images and addresses need their server, and nobody else.
import { basename } from "node:path";
import type { FactoryError } from "../errors.ts";
import { FactoryErrors } from "../errors.ts";
import { checkEvidence, problemsOf } from "../evidence/checks.ts";
import type { Check, Demands } from "../evidence/checks.ts";
import { checkImage } from "../evidence/image-checks.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { SIGNATURE_SUFFIX } from "../evidence/kinds.ts";
import { readEvidenceFiles, streamArtifact } from "../host/evidence-files.ts";
import type { Sha256 } from "../layout/digest.ts";
import { cleanLine } from "../report/plain-text.ts";
import { collectImageEvidence } from "./collect-image-evidence.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";
import { isImage, openImage } from "./open-image.ts";
import type { AllDemands, VerifyOptions } from "./verify-demands.ts";
import { readDemands } from "./verify-demands.ts";
import { isUrl, readUrlEvidence, withoutQuery } from "./verify-url.ts";

interface Verdict {
  readonly file: string;
  readonly digest: Sha256;
  readonly proved: boolean;
  /** What all of it together proves. */
  readonly meaning: string;
  readonly checks: readonly Check[];
}

/** Prints every verdict, then throws the problems of all: EVIDENCE_INVALID, EVIDENCE_MISSING, and what reading throws. */
export async function runVerify(context: CommandContext, options: VerifyOptions): CommandResult {
  const demands = await readDemands(options);
  const problems: FactoryError[] = [];
  for (const target of options.files) {
    const shown = basename(isUrl(target) ? withoutQuery(target) : target);
    const verdict = await asStep(context, `verify ${shown}`, () => verifyTarget(context, target, demands));
    context.print(describeVerdict(verdict), jsonVerdict(verdict));
    problems.push(...problemsOf(verdict.checks));
  }
  if (problems.length > 0) throw new FactoryErrors(problems);
  return undefined;
}

async function verifyTarget(context: CommandContext, target: string, demands: AllDemands): Promise<Verdict> {
  if (isImage(target)) return verifyImage(context, target, demands.image);
  if (!isUrl(target)) return verifyFile(target, demands.file);
  const set = await readUrlEvidence(context, target, demands.file.signers.length > 0);
  return verdictOf(
    { file: withoutQuery(target), digest: set.artifact.digest, checks: checkEvidence(set, demands.file) },
    demands.file,
    "file",
  );
}

async function verifyFile(file: string, demands: Demands): Promise<Verdict> {
  const files = await readEvidenceFiles(file, EVIDENCE_MAX_BYTES);
  const { size, ...artifact } = await streamArtifact(file, demands.signers.length > 0 && files.has(SIGNATURE_SUFFIX));
  const checks = checkEvidence({ name: basename(file), size, artifact, files }, demands);
  return verdictOf({ file, digest: artifact.digest, checks }, demands, "file");
}

async function verifyImage(context: CommandContext, target: string, demands: Demands): Promise<Verdict> {
  const { name, manifest, source } = await openImage(context, target);
  const { digest } = manifest;
  const checks = checkImage({ name, digest }, await collectImageEvidence(source, digest), demands);
  return verdictOf({ file: target, digest, checks }, demands, "image");
}

function verdictOf(
  found: Pick<Verdict, "file" | "digest" | "checks">,
  demands: Demands,
  what: "file" | "image",
): Verdict {
  const proved = problemsOf(found.checks).length === 0;
  return { ...found, proved, meaning: meaningOf(proved, demands, what) };
}

function meaningOf(proved: boolean, { signers, require }: Demands, what: "file" | "image"): string {
  if (!proved) return `not proved: do not use this ${what}`;
  if (signers.length === 0 && what === "image")
    return "the image has this digest; who made it is not proved, since neither key nor policy was given";
  if (signers.length === 0)
    return "the files agree with each other; who made them is not proved, since neither key nor policy was given";
  const who = require.includes("signature")
    ? `this ${what} is the one that a trusted signer signed`
    : "what is signed holds";
  return `${who}; that the statements are true is the signer's word (reproduce checks it)`;
}

function describeVerdict({ file, digest, checks, meaning }: Verdict): string {
  const width = Math.max(...checks.map((check) => check.file.length), 0);
  const lines = checks.map(({ file: name, state, text }) => {
    return `  ${state.padEnd(12)}${cleanLine(name).padEnd(width)}  ${cleanLine(text, 300)}\n`;
  });
  return `${cleanLine(file)}  sha256:${digest}\n${lines.join("")}  ${meaning}\n`;
}

function jsonVerdict({ checks, ...verdict }: Verdict): unknown {
  return { ...verdict, checks: checks.map(({ problem, ...check }) => ({ ...check, code: problem?.code ?? null })) };
}
