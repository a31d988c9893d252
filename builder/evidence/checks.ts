// SPDX-License-Identifier: Apache-2.0
// Checks everything that lies beside one artifact. One row for each file that is there or required, none left out: a
// reader must see what was not checked as plainly as what was. Pure: bytes come in, verdicts go out.
import { isDeepStrictEqual } from "node:util";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { parseBundle } from "./bundle.ts";
import { invalidEvidence, parseJsonObject } from "./json.ts";
import {
  CHECKSUM_SUFFIX,
  REBUILD_SUFFIX,
  SIGNATURE_SUFFIX,
  STATEMENT_KINDS,
  attestationSuffix,
  documentSuffix,
} from "./kinds.ts";
import type { CheckKind, StatementKind } from "./kinds.ts";
import { checkDocument } from "./check-document.ts";
import { checkRebuild, isOfStranger } from "./check-rebuild.ts";
import { expectStatement, parseStatement } from "./statement.ts";
import { verifyBundle, verifyStatement } from "./verify-bundle.ts";
import type { ReadArtifact, TrustedSigner } from "./verify-bundle.ts";

/** An artifact, read once, and the files beside it by suffix. */
export interface EvidenceSet {
  /** File name. */
  readonly name: string;
  readonly size: number;
  readonly artifact: ReadArtifact;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface Demands {
  /** Empty when nobody is known: then signatures are not checked. */
  readonly signers: readonly TrustedSigner[];
  readonly require: readonly CheckKind[];
  readonly minimumCoverage: number | undefined;
}

/** `ignored`: of images only, where strangers may attach things. */
export type CheckState = "ok" | "failed" | "missing" | "ignored" | "not checked";

export interface Check {
  /** File name of the evidence. */
  readonly file: string;
  readonly kind: CheckKind | "unknown";
  readonly required: boolean;
  readonly state: CheckState;
  /** What an `ok` proves; otherwise why it is none. */
  readonly text: string;
  /** For `failed`, and for `missing` when it is required. */
  readonly problem: FactoryError | undefined;
}

/** Never throws FactoryError; what is wrong stands in the rows. */
export function checkEvidence(set: EvidenceSet, demands: Demands): readonly Check[] {
  const row = rowOf(set, demands);
  const { digest } = set.artifact;
  const isSigned = demands.signers.length > 0;
  const unsigned = isSigned ? undefined : "no key or policy was given";
  const documents = new Map<StatementKind, unknown>();
  const rows = [
    row("checksum", CHECKSUM_SUFFIX, undefined, (bytes, file) => checkChecksum(bytes, set, file)),
    row("signature", SIGNATURE_SUFFIX, unsigned, (bytes, file) => {
      const signer = verifyBundle(parseBundle(bytes, file), demands.signers, file, set.artifact);
      return `${signer} signed this file`;
    }),
  ];
  for (const kind of STATEMENT_KINDS) {
    const document = row(kind, documentSuffix(kind), undefined, (bytes, file) => {
      documents.set(kind, readDocument(kind, bytes, file));
      return checkDocument({ kind, file, bytes }, set, demands.minimumCoverage);
    });
    const attestation = row(kind, attestationSuffix(kind), unsigned, (bytes, file) => {
      return checkAttestation({ kind, bytes, file, digest, document: documents.get(kind) }, demands.signers);
    });
    rows.push(document, attestation);
  }
  rows.push(rebuildRow(set, demands, unsigned));
  const known = new Set(rows.map(({ file }) => file));
  const strangers = [...set.files.keys()].map((suffix) => set.name + suffix).filter((file) => !known.has(file));
  const text = "nothing is known about such a file";
  const unknown = strangers.map((file): Check => {
    return { file, kind: "unknown", required: false, state: "not checked", text, problem: undefined };
  });
  return [...rows.filter((r) => r.state !== "missing" || r.required), ...unknown];
}

/** Required, it must be there and hold; otherwise that of a stranger is left alone. */
function rebuildRow(set: EvidenceSet, demands: Demands, unsigned: string | undefined): Check {
  const { files, artifact } = set;
  const { signers, require } = demands;
  const bytes = files.get(REBUILD_SUFFIX);
  const isForeign = bytes !== undefined && !require.includes("rebuild") && isOfStranger(bytes, signers);
  const skip = unsigned ?? (isForeign ? "signed by nobody who is trusted" : undefined);
  return rowOf(set, demands)("rebuild", REBUILD_SUFFIX, skip, (found, file) => {
    const provenance = files.get(documentSuffix("provenance"));
    return checkRebuild({ bytes: found, file, digest: artifact.digest, provenance }, signers);
  });
}

/**
 * What makes the artifact unfit; empty when every required check holds and nothing that was checked failed. What does not
 * hold comes before what is missing: the first problem decides the exit code.
 */
export function problemsOf(checks: readonly Check[]): readonly FactoryError[] {
  const problems = checks.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  const isMissing = ({ code }: FactoryError): boolean => code === "EVIDENCE_MISSING";
  return [...problems.filter((p) => !isMissing(p)), ...problems.filter(isMissing)];
}

type Row = (
  kind: CheckKind,
  suffix: string,
  skip: string | undefined,
  check: (bytes: Uint8Array, file: string) => string,
) => Check;

function rowOf({ name, files }: EvidenceSet, demands: Demands): Row {
  return (kind, suffix, skip, check) => {
    const file = name + suffix;
    const bytes = files.get(suffix);
    const required = demands.require.includes(kind) && skip === undefined;
    const common = { file, kind, required, problem: undefined };
    if (bytes === undefined) return { ...common, state: "missing", ...absent(file, required) };
    if (skip !== undefined) return { ...common, state: "not checked", text: skip };
    try {
      return { ...common, state: "ok", text: check(bytes, file) };
    } catch (error) {
      if (!(error instanceof FactoryError)) throw error;
      return { ...common, state: "failed", text: error.message, problem: error };
    }
  };
}

function absent(file: string, required: boolean): Pick<Check, "text" | "problem"> {
  const text = required ? "required" : "not required";
  if (!required) return { text, problem: undefined };
  const expected = "the file beside the artifact, since it is required";
  const fix = "fetch it, or take it from what is required";
  return { text, problem: new FactoryError({ code: "EVIDENCE_MISSING", file, field: "file", expected, fix }) };
}

/** Format: sha256sum(1), one line. */
function checkChecksum(bytes: Uint8Array, { name, artifact }: EvidenceSet, file: string): string {
  const found = bytes.length > 1024 ? undefined : Buffer.from(bytes).toString();
  const expected = `${artifact.digest}  ${name}\n`;
  if (found !== expected) throw invalidEvidence(file, "line", found?.trimEnd() ?? "long text", expected.trimEnd());
  return "the file has the SHA-256 that is written beside it";
}

/** What an attestation must repeat: an SBOM as its predicate, any other statement as a whole. */
function readDocument(kind: StatementKind, bytes: Uint8Array, file: string): unknown {
  return kind === "cdx" || kind === "spdx" ? parseJsonObject(bytes, file) : parseStatement(bytes, file);
}

interface Attestation {
  readonly kind: StatementKind;
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly digest: Sha256;
  /** What the readable file holds, when it could be read. */
  readonly document: unknown;
}

function checkAttestation(about: Attestation, signers: readonly TrustedSigner[]): string {
  const { kind, bytes, file, digest, document } = about;
  const { signer, payload } = verifyStatement(parseBundle(bytes, file), signers, file);
  const statement = parseStatement(payload, file);
  expectStatement(statement, kind, digest, file);
  if (document === undefined)
    return `${signer} signed a statement about this file; nothing readable to compare it with`;
  const repeated = kind === "cdx" || kind === "spdx" ? statement.predicate : statement;
  if (!isDeepStrictEqual(repeated, document))
    throw invalidEvidence(file, "predicate", "another content", `what the ${documentSuffix(kind)} file says`);
  return `${signer} signed what ${documentSuffix(kind)} says about this file`;
}
