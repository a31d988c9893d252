// SPDX-License-Identifier: Apache-2.0
// The producers of provenance and signatures: what `build` writes beside each artifact after its SBOMs.
import type { Signer } from "../evidence/signer.ts";
import { SIGNATURE_SUFFIX, STATEMENT_KINDS, attestationSuffix, documentSuffix } from "../evidence/kinds.ts";
import { provenanceStatement } from "../evidence/provenance.ts";
import type { Subject } from "../evidence/statement.ts";
import { renderStatement } from "../evidence/statement.ts";
import { sha256 } from "../layout/digest.ts";
import type { EvidenceContext, EvidenceProducer } from "./write-evidence.ts";

/** After the SBOMs, which it names by digest. */
export const PROVENANCE_PRODUCER: EvidenceProducer = {
  suffix: documentSuffix("provenance"),
  make: async (context, made) => renderStatement(provenanceStatement(provenanceRequest(context, made))),
};

/** After every document that a build makes. Each gives nothing when there is no signer. */
export const SIGNATURE_PRODUCERS: readonly EvidenceProducer[] = [
  SIGNATURE_SUFFIX,
  ...STATEMENT_KINDS.filter((kind) => kind !== "boot-test").map(attestationSuffix),
].map((suffix) => ({
  suffix,
  make: async ({ signer, output, digest }, made) =>
    signer === undefined ? undefined : makeSignature(suffix, { name: output.file, digest }, made, signer),
}));

/** The bundle of this suffix; undefined when there is no document that it would be about. */
export async function makeSignature(
  suffix: string,
  subject: Subject,
  documents: ReadonlyMap<string, Uint8Array>,
  signer: Signer,
): Promise<string | undefined> {
  // Loaded only when something is signed: sigstore's libraries take longer to load than an SBOM to write.
  const { renderBundle, signArtifact, signStatement } = await import("../evidence/bundle.ts");
  const { statementBytes } = await import("../evidence/attest.ts");
  if (suffix === SIGNATURE_SUFFIX) return renderBundle(await signArtifact(subject.digest, signer));
  const kind = STATEMENT_KINDS.find((known) => attestationSuffix(known) === suffix);
  const document = kind === undefined ? undefined : documents.get(documentSuffix(kind));
  if (kind === undefined || document === undefined) return undefined;
  const file = `${subject.name}${documentSuffix(kind)}`;
  return renderBundle(await signStatement(statementBytes(kind, subject, document, file), signer));
}

function provenanceRequest(
  context: EvidenceContext,
  made: ReadonlyMap<string, Buffer>,
): Parameters<typeof provenanceStatement>[0] {
  const { output, digest, plan, release, facts } = context;
  const sboms = ["cdx", "spdx"] as const;
  const byproducts = sboms.flatMap((kind) => {
    const bytes = made.get(documentSuffix(kind));
    return bytes === undefined ? [] : [{ name: `${output.file}${documentSuffix(kind)}`, digest: sha256(bytes) }];
  });
  const { version, parts } = release.release;
  const subject = { name: output.file, digest };
  return { ...facts, subject, plan, byproducts, release: { digest: release.digest, version, parts } };
}
