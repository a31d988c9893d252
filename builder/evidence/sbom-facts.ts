// SPDX-License-Identifier: Apache-2.0
// What a verifier needs of an SBOM: which file it describes, how many components, and how much of the file they cover.
// Spec: CycloneDX 1.6 metadata.component.hashes and .properties; SPDX 2.3 clauses 6 (document), 7 (package), 11 (relationship).
import type { Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, memberAt } from "./json.ts";

/** Property of the CycloneDX main component: how much of the artifact has an owner, as `99.5%`. */
export const COVERAGE_PROPERTY = "dodeka:coverage";

export interface SbomFacts {
  /** SHA-256 of the file that the SBOM says it describes. */
  readonly digest: Sha256;
  /** What the file is made of; what it was made with does not count. */
  readonly components: number;
  /** Percent; undefined when the SBOM does not say. */
  readonly coverage: number | undefined;
}

/** Throws EVIDENCE_INVALID when the document does not say by SHA-256 which one file it describes. */
export function sbomFacts(kind: "cdx" | "spdx", document: JsonObject, file: string): SbomFacts {
  return kind === "cdx" ? cycloneDxFacts(document, file) : spdxFacts(document, file);
}

function cycloneDxFacts(document: JsonObject, file: string): SbomFacts {
  if (document["bomFormat"] !== "CycloneDX")
    throw invalidEvidence(file, "bomFormat", document["bomFormat"], "CycloneDX");
  const hashes = listAt(document, "metadata.component.hashes").filter((h) => memberAt(h, "alg") === "SHA-256");
  const coverage = listAt(document, "metadata.component.properties").filter(
    (p) => memberAt(p, "name") === COVERAGE_PROPERTY,
  );
  return {
    digest: onlyDigest(hashes, "content", file),
    components: listAt(document, "components").length,
    coverage: coverage.length === 1 ? percent(memberAt(coverage[0], "value")) : undefined,
  };
}

function spdxFacts(document: JsonObject, file: string): SbomFacts {
  const version = document["spdxVersion"];
  if (version !== "SPDX-2.3") throw invalidEvidence(file, "spdxVersion", version, "SPDX-2.3");
  const relationships = listAt(document, "relationships");
  const tools = relationships.filter((r) => memberAt(r, "relationshipType") === "BUILD_TOOL_OF");
  const toolIds = new Set(tools.map((r) => memberAt(r, "spdxElementId")));
  const relations = relationships.flatMap((r) =>
    memberAt(r, "spdxElementId") === "SPDXRef-DOCUMENT" && memberAt(r, "relationshipType") === "DESCRIBES"
      ? [memberAt(r, "relatedSpdxElement")]
      : [],
  );
  const described = new Set([...relations, ...listAt(document, "documentDescribes")]);
  const packages = listAt(document, "packages");
  const subjects = packages.filter((p) => described.has(memberAt(p, "SPDXID")));
  if (described.size !== 1 || subjects.length !== 1)
    throw invalidEvidence(file, "DESCRIBES", `${described.size} elements`, "exactly one package");
  const hashes = listAt(subjects[0], "checksums").filter((c) => memberAt(c, "algorithm") === "SHA256");
  return {
    digest: onlyDigest(hashes, "checksumValue", file),
    components: packages.filter((p) => p !== subjects[0] && !toolIds.has(memberAt(p, "SPDXID"))).length,
    coverage: undefined,
  };
}

function onlyDigest(hashes: readonly unknown[], member: string, file: string): Sha256 {
  const value = memberAt(hashes[0], member);
  if (hashes.length === 1 && typeof value === "string" && isSha256(value)) return value;
  throw invalidEvidence(file, "described file", value ?? `${hashes.length} SHA-256`, "its one SHA-256");
}

function listAt(value: unknown, path: string): readonly unknown[] {
  const found = memberAt(value, path);
  return Array.isArray(found) ? found : [];
}

function percent(value: unknown): number | undefined {
  return typeof value === "string" && /^(?:100|[0-9]{1,2}(?:\.[0-9]{1,6})?)%$/.test(value)
    ? Number(value.slice(0, -1))
    : undefined;
}
