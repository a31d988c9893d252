// SPDX-License-Identifier: Apache-2.0
// What lies beside an artifact, by kind: file names and in-toto predicate types; and the kinds of keys. One table for writers and verifiers, so
// that a statement of one kind can never stand in for another.
// Spec: in-toto attestation spec/v1/predicate.md; slsa.dev/spec/v1.0/provenance; cyclonedx.org; spdx.dev.

/** Statements about an artifact, in the order in which they are made and checked. */
export const STATEMENT_KINDS = ["cdx", "spdx", "provenance", "boot-test"] as const;
export type StatementKind = (typeof STATEMENT_KINDS)[number];

export const PREDICATE_TYPES: Readonly<Record<StatementKind, string>> = {
  cdx: "https://cyclonedx.org/bom",
  spdx: "https://spdx.dev/Document",
  provenance: "https://slsa.dev/provenance/v1",
  "boot-test": "urn:dodeka:boot-test:v1",
};

/** What a policy may require, and what a report says was checked. */
export const CHECK_KINDS = ["checksum", "signature", "cdx", "spdx", "provenance", "boot-test", "rebuild"] as const;
export type CheckKind = (typeof CHECK_KINDS)[number];

/** Keys that `dodeka key generate` makes. */
export const KEY_TYPES = ["p256", "rsa3072"] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** Follow the artifact's file name. */
export const CHECKSUM_SUFFIX = ".sha256";
export const SIGNATURE_SUFFIX = ".sigstore.json";
/** The statement of a second builder; only ever signed, since without a signature it says nothing. */
export const REBUILD_SUFFIX: string = `.rebuild${SIGNATURE_SUFFIX}`;

/** The console log that a boot test names by digest. No evidence itself. */
export const BOOT_LOG_SUFFIX = ".boot-test.log";

/** The readable document: an SBOM as it is, the others as in-toto statements. */
export function documentSuffix(kind: StatementKind): string {
  return `.${kind}.json`;
}

/** The signed in-toto statement, as a sigstore bundle. */
export function attestationSuffix(kind: StatementKind): string {
  return `.${kind}${SIGNATURE_SUFFIX}`;
}

/** Everything that may lie beside an artifact, by suffix. */
export const EVIDENCE_SUFFIXES: readonly string[] = [
  CHECKSUM_SUFFIX,
  SIGNATURE_SUFFIX,
  ...STATEMENT_KINDS.flatMap((kind) => [documentSuffix(kind), attestationSuffix(kind)]),
  REBUILD_SUFFIX,
];
