// SPDX-License-Identifier: Apache-2.0
// Components as SPDX 2.3 packages, and the identifiers of a document's elements.
// Spec: SPDX 2.3 clauses 7 (packages) and 11 (relationships). Left out: package verification codes.
import type { Component, ComponentKind } from "./inventory.ts";

export const ARTIFACT_ID = "SPDXRef-Artifact";
export const UNKNOWN = "NOASSERTION";

const PURPOSES: Readonly<Record<ComponentKind, string>> = {
  "operating-system": "OPERATING-SYSTEM",
  application: "APPLICATION",
  library: "LIBRARY",
  firmware: "FIRMWARE",
  "device-driver": "DEVICE",
  data: "OTHER",
};

export interface Relationship {
  readonly spdxElementId: string;
  readonly relationshipType: string;
  readonly relatedSpdxElement: string;
}

export function relate(from: string, type: string, to: string): Relationship {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}

/** Identifiers may hold letters, digits, "." and "-" only; the number keeps apart what that would merge. */
export function numbered(kind: string, names: readonly string[]): (name: string) => string {
  const ids = new Map(
    names.map((name, i) => [name, `SPDXRef-${kind}-${i}-${name.slice(-80).replaceAll(/[^A-Za-z0-9.]+/g, "-")}`]),
  );
  return (name) => ids.get(name) ?? UNKNOWN;
}

/** What a release was made with: the same packages in the document of every artifact. */
export function spdxTools(formulation: readonly Component[]): {
  readonly packages: readonly unknown[];
  readonly relations: readonly Relationship[];
} {
  const idOf = numbered(
    "Tool",
    formulation.map((c) => c.id),
  );
  return {
    packages: formulation.map((c) => ({ SPDXID: idOf(c.id), ...spdxPackage(c) })),
    relations: formulation.map((c) => relate(idOf(c.id), "BUILD_TOOL_OF", ARTIFACT_ID)),
  };
}

/** A package without its SPDXID, which differs from document to document. */
export function spdxPackage(c: Component): object {
  const facts = Object.entries(c.facts).filter(([, value]) => value !== "");
  return {
    name: c.name,
    versionInfo: c.version,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: c.licence,
    copyrightText: c.copyrights.length === 0 ? UNKNOWN : c.copyrights.join("\n"),
    primaryPackagePurpose: PURPOSES[c.kind],
    ...(c.supplier === "" ? {} : { supplier: `Organization: ${c.supplier.replace(/<(.*)>$/, "($1)")}` }),
    ...(c.description === "" ? {} : { summary: c.description }),
    ...(c.sha256 === null ? {} : { checksums: [{ algorithm: "SHA256", checksumValue: c.sha256 }] }),
    ...(facts.length === 0 ? {} : { sourceInfo: facts.map(([key, value]) => `${key}=${value}`).join("\n") }),
    externalRefs: [
      ...(c.purl === null ? [] : [externalRef("PACKAGE-MANAGER", "purl", c.purl)]),
      ...(c.cpe === null ? [] : [externalRef("SECURITY", "cpe23Type", c.cpe)]),
    ],
  };
}

function externalRef(referenceCategory: string, referenceType: string, referenceLocator: string): unknown {
  return { referenceCategory, referenceType, referenceLocator };
}
