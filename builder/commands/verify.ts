// SPDX-License-Identifier: Apache-2.0
// dodeka verify: checks artifacts against the evidence beside them, offline, and says what that proves and what not.
import { basename, dirname, resolve } from "node:path";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { FactoryError, FactoryErrors } from "../errors.ts";
import { checkEvidence, problemsOf } from "../evidence/checks.ts";
import type { Check, Demands } from "../evidence/checks.ts";
import { EVIDENCE_MAX_BYTES, parseJsonObject } from "../evidence/json.ts";
import { keyHint } from "../evidence/key-source.ts";
import { SIGNATURE_SUFFIX } from "../evidence/kinds.ts";
import { readPublicKey } from "../evidence/pem-key.ts";
import { DEFAULT_REQUIRED, parsePolicy } from "../evidence/policy.ts";
import type { PolicySigner } from "../evidence/policy.ts";
import type { TrustedSigner } from "../evidence/verify-bundle.ts";
import { readEvidenceFiles, streamArtifact } from "../host/evidence-files.ts";
import { readBounded } from "../host/read-bounded.ts";
import type { Sha256 } from "../layout/digest.ts";
import { cleanLine } from "../report/plain-text.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep } from "./context.ts";

export interface VerifyOptions {
  readonly files: readonly string[];
  readonly policy: string | undefined;
  /** Files of public keys; trusted besides the policy's signers. */
  readonly keys: readonly string[];
}

interface Verdict {
  readonly file: string;
  readonly digest: Sha256;
  readonly proved: boolean;
  /** What all of it together proves. */
  readonly meaning: string;
  readonly checks: readonly Check[];
}

const MAX_SMALL_BYTES = 1 << 20; // policies, keys, trusted roots

/** Prints every verdict, then throws the problems of all files: EVIDENCE_INVALID, EVIDENCE_MISSING. */
export async function runVerify(context: CommandContext, options: VerifyOptions): CommandResult {
  const demands = await readDemands(options);
  const problems: FactoryError[] = [];
  for (const file of options.files) {
    const verdict = await asStep(context, `verify ${basename(file)}`, () => verifyFile(file, demands));
    context.print(describeVerdict(verdict), jsonVerdict(verdict));
    problems.push(...problemsOf(verdict.checks));
  }
  if (problems.length > 0) throw new FactoryErrors(problems);
  return undefined;
}

/** Checks one artifact. Throws USAGE when it cannot be read. */
export async function verifyFile(file: string, demands: Demands): Promise<Verdict> {
  const files = await readEvidenceFiles(file, EVIDENCE_MAX_BYTES);
  const { size, ...artifact } = await streamArtifact(file, demands.signers.length > 0 && files.has(SIGNATURE_SUFFIX));
  const checks = checkEvidence({ name: basename(file), size, artifact, files }, demands);
  const proved = problemsOf(checks).length === 0;
  return { file, digest: artifact.digest, proved, meaning: meaningOf(proved, demands), checks };
}

function meaningOf(proved: boolean, { signers, require }: Demands): string {
  if (!proved) return "not proved: do not use this file";
  if (signers.length === 0)
    return "the files agree with each other; who made them is not proved, since neither key nor policy was given";
  const who = require.includes("signature")
    ? "this file is the one that a trusted signer signed"
    : "what is signed holds";
  return `${who}; that the statements are true is the signer's word (reproduce checks it)`;
}

/** Without key and policy: all that an unsigned build writes. */
async function readDemands({ policy: file, keys }: VerifyOptions): Promise<Demands> {
  const given = await Promise.all(keys.map((key) => openSigner({ kind: "key", file: key }, ".")));
  if (file === undefined) {
    const require = DEFAULT_REQUIRED.filter((kind) => given.length > 0 || kind !== "signature");
    return { signers: given, require, minimumCoverage: undefined };
  }
  const policy = parsePolicy((await readBounded(file, MAX_SMALL_BYTES)).toString("utf8"), file);
  const signers = await Promise.all(policy.signers.map((signer) => openSigner(signer, dirname(file))));
  return { ...policy, signers: [...signers, ...given] };
}

/** Files that a policy names are relative to it. */
async function openSigner(signer: PolicySigner, dir: string): Promise<TrustedSigner> {
  switch (signer.kind) {
    case "key": {
      const publicKey = readPublicKey(await readBounded(resolve(dir, signer.file), MAX_SMALL_BYTES), signer.file);
      return { kind: "key", name: signer.file, publicKey, hint: keyHint(publicKey) };
    }
    case "identity": {
      const { identity, issuer, thresholds, rootFile } = signer;
      const root = parseTrustedRoot(await readBounded(resolve(dir, rootFile), MAX_SMALL_BYTES), rootFile);
      return { kind: "identity", identity, issuer, thresholds, root };
    }
    default:
      return signer satisfies never;
  }
}

function parseTrustedRoot(bytes: Uint8Array, file: string): TrustedRoot {
  try {
    return TrustedRoot.fromJSON(parseJsonObject(bytes, file));
  } catch (cause) {
    const expected = "a trusted root of sigstore, as JSON";
    throw new FactoryError({
      code: "POLICY_INVALID",
      file,
      field: "trustedRoot",
      expected,
      fix: "correct the file",
      cause,
    });
  }
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
