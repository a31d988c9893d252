// SPDX-License-Identifier: Apache-2.0
// Component model -> SPDX 2.3 JSON: the artifact as the package that the document describes, each component as a package,
// each file as a file, the tools as BUILD_TOOL_OF. Equal models give equal bytes.
// Spec: SPDX 2.3 clauses 6 (creation), 7 (packages), 8 (files), 10 (other licences), 11 (relationships).
// Left out: licences of single files and what a reviewer concludes (NOASSERTION), package verification codes.
import { deriveUuid } from "../builder/layout/identity.ts";
import type { Component, ComponentKind } from "./inventory.ts";
import type { ComponentModel, DescribedArtifact, ModelFile } from "./model.ts";
import { rfc3339 } from "./timestamp.ts";

const DOCUMENT = "SPDXRef-DOCUMENT";
const ARTIFACT = "SPDXRef-Artifact";
const UNKNOWN = "NOASSERTION";

const PURPOSES: Readonly<Record<ComponentKind, string>> = {
  "operating-system": "OPERATING-SYSTEM",
  application: "APPLICATION",
  library: "LIBRARY",
  firmware: "FIRMWARE",
  "device-driver": "DEVICE",
  data: "OTHER",
};

/** The document's text, in one line. */
export function toSpdx(model: ComponentModel): string {
  const { artifact, components, formulation, files } = model;
  const ids = idsOf(model);
  const version = formulation.find((c) => c.purl?.startsWith("pkg:generic/dodeka-factory@") === true)?.version;
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: DOCUMENT,
    name: artifact.file,
    documentNamespace: `https://spdx.org/spdxdocs/${artifact.file}-${deriveUuid(artifact.digest, "SPDX")}`,
    creationInfo: {
      created: rfc3339(artifact.epochSeconds),
      creators: [`Tool: dodeka-${version ?? artifact.version}`],
    },
    documentDescribes: [ARTIFACT],
    packages: [
      artifactPackage(artifact),
      ...components.map((c) => componentPackage(c, ids.component(c.id))),
      ...formulation.map((c) => componentPackage(c, ids.tool(c.id))),
    ],
    files: files.map((f) => fileEntry(f, ids.file(f.path))),
    relationships: relationships(model, ids),
    hasExtractedLicensingInfos: Object.entries(model.licences).map(([licenseId, extractedText]) => ({
      licenseId,
      name: licenseId.replace("LicenseRef-", ""),
      extractedText,
    })),
  };
  return `${JSON.stringify(document)}\n`;
}

/** Identifiers of a document's elements by what they stand for. */
interface Ids {
  readonly component: (id: string) => string;
  readonly tool: (id: string) => string;
  readonly file: (path: string) => string;
}

function idsOf({ components, formulation, files }: ComponentModel): Ids {
  const component = numbered(
    "Package",
    components.map((c) => c.id),
  );
  const tool = numbered(
    "Tool",
    formulation.map((c) => c.id),
  );
  const numbers = new Map(files.map((f, i) => [f.path, `SPDXRef-File-${i}`])); // hundreds: fileName says which
  const file = (path: string): string => numbers.get(path) ?? UNKNOWN;
  return { component, tool, file };
}

/** Identifiers may hold letters, digits, "." and "-" only; the number keeps apart what that would merge. */
function numbered(kind: string, names: readonly string[]): (name: string) => string {
  const ids = new Map(
    names.map((name, i) => [name, `SPDXRef-${kind}-${i}-${name.slice(-80).replaceAll(/[^A-Za-z0-9.]+/g, "-")}`]),
  );
  return (name) => ids.get(name) ?? UNKNOWN;
}

function artifactPackage(artifact: DescribedArtifact): unknown {
  return {
    SPDXID: ARTIFACT,
    name: artifact.file,
    versionInfo: artifact.version,
    packageFileName: artifact.file,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: UNKNOWN,
    copyrightText: UNKNOWN,
    primaryPackagePurpose: "OPERATING-SYSTEM",
    checksums: [{ algorithm: "SHA256", checksumValue: artifact.digest }],
    comment: `plan ${artifact.planId}, ${artifact.size} bytes, ${artifact.platform} ${artifact.arch} ${artifact.kind}`,
  };
}

function componentPackage(c: Component, id: string): unknown {
  const facts = Object.entries(c.facts).filter(([, value]) => value !== "");
  return {
    SPDXID: id,
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

function fileEntry(file: ModelFile, id: string): unknown {
  const comment = [
    `${file.size} bytes`,
    file.mode === null ? "" : `mode ${file.mode.toString(8).padStart(4, "0")}`,
    file.target === null ? "" : `symlink to ${file.target}`,
    file.kind === "container" ? "its content is listed too" : "",
  ];
  return {
    SPDXID: id,
    fileName: `./${file.path}`,
    checksums: [
      { algorithm: "SHA1", checksumValue: file.sha1 },
      { algorithm: "SHA256", checksumValue: file.sha256 },
    ],
    licenseConcluded: UNKNOWN,
    licenseInfoInFiles: [UNKNOWN],
    copyrightText: UNKNOWN,
    comment: comment.filter((part) => part !== "").join(", "),
  };
}

interface Relationship {
  readonly spdxElementId: string;
  readonly relationshipType: string;
  readonly relatedSpdxElement: string;
}

/** Document describes artifact, artifact contains components, components contain files; what depends on what; tools. */
function relationships({ components, files, formulation }: ComponentModel, ids: Ids): readonly Relationship[] {
  const known = new Set(components.map((c) => c.id));
  const relate = (from: string, type: string, to: string): Relationship => ({
    spdxElementId: from,
    relationshipType: type,
    relatedSpdxElement: to,
  });
  return [
    relate(DOCUMENT, "DESCRIBES", ARTIFACT),
    ...components.map((c) => relate(ARTIFACT, "CONTAINS", ids.component(c.id))),
    ...files.map((f) => relate(known.has(f.owner) ? ids.component(f.owner) : ARTIFACT, "CONTAINS", ids.file(f.path))),
    ...components.flatMap((c) =>
      c.dependsOn
        .filter((id) => known.has(id))
        .map((id) => relate(ids.component(c.id), "DEPENDS_ON", ids.component(id))),
    ),
    ...formulation.map((c) => relate(ids.tool(c.id), "BUILD_TOOL_OF", ARTIFACT)),
  ];
}
