// SPDX-License-Identifier: Apache-2.0
// Component model -> SPDX 2.3 JSON: the artifact as the package that the document describes, each component as a package,
// each file as a file, the tools as BUILD_TOOL_OF. What the release decides is there as finished text (release-texts.ts).
// Equal models give equal bytes.
// Spec: SPDX 2.3 clauses 6 (creation), 7 (packages), 8 (files), 10 (other licences), 11 (relationships).
// Left out: licences of single files and what a reviewer concludes (NOASSERTION), package verification codes.
import { deriveUuid } from "../builder/layout/identity.ts";
import type { JsonText } from "./json-text.ts";
import { afterMember, documentBytes, itemsOf, jsonList, jsonValue, withMember } from "./json-text.ts";
import type { ComponentModel, DescribedArtifact, ModelFile } from "./model.ts";
import type { Relationship } from "./spdx-package.ts";
import { ARTIFACT_ID, UNKNOWN, numbered, relate, spdxPackage } from "./spdx-package.ts";
import type { Texts } from "./texts.ts";
import { SPDX_TOOLS, SPDX_TOOL_RELATIONS, licenceText, spdxText, textNamed } from "./texts.ts";
import { rfc3339 } from "./timestamp.ts";

const DOCUMENT = "SPDXRef-DOCUMENT";

/** The document, in one line. `texts` are those of the release that the artifact was made of. */
export function toSpdx(model: ComponentModel, texts: Texts): Buffer {
  const { artifact, components, files, licences } = model;
  const ids = idsOf(model);
  const packages = components.map((c): JsonText => {
    const known = texts.get(spdxText(c.id)) ?? Buffer.from(JSON.stringify(spdxPackage(c)));
    return afterMember("SPDXID", ids.component(c.id), known);
  });
  const tools = itemsOf(textNamed(texts, SPDX_TOOLS));
  const relations = itemsOf(Buffer.from(JSON.stringify(relationships(model, ids))));
  const toolRelations = itemsOf(textNamed(texts, SPDX_TOOL_RELATIONS));
  const extracted = Object.keys(licences).map((ref): JsonText => [textNamed(texts, licenceText(ref))]);
  const members: readonly (readonly [name: string, value: JsonText])[] = [
    ["packages", jsonList([jsonValue(artifactPackage(artifact)), ...packages, ...tools])],
    ["files", jsonValue(files.map((f) => fileEntry(f, ids.file(f.path))))],
    ["relationships", jsonList([...relations, ...toolRelations])],
    ["hasExtractedLicensingInfos", jsonList(extracted)],
  ];
  const start = jsonValue(documentHead(model));
  return documentBytes(members.reduce((text, [name, value]) => withMember(text, name, value), start));
}

function documentHead({ artifact, formulation }: ComponentModel): unknown {
  const version = formulation.find((c) => c.purl?.startsWith("pkg:generic/dodeka-factory@") === true)?.version;
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: DOCUMENT,
    name: artifact.file,
    documentNamespace: `https://spdx.org/spdxdocs/${artifact.file}-${deriveUuid(artifact.digest, "SPDX")}`,
    creationInfo: {
      created: rfc3339(artifact.epochSeconds),
      creators: [`Tool: dodeka-${version ?? artifact.version}`],
    },
    documentDescribes: [ARTIFACT_ID],
  };
}

/** Identifiers of a document's elements by what they stand for. */
interface Ids {
  readonly component: (id: string) => string;
  readonly file: (path: string) => string;
}

function idsOf({ components, files }: ComponentModel): Ids {
  const component = numbered(
    "Package",
    components.map((c) => c.id),
  );
  const numbers = new Map(files.map((f, i) => [f.path, `SPDXRef-File-${i}`])); // hundreds: fileName says which
  const file = (path: string): string => numbers.get(path) ?? UNKNOWN;
  return { component, file };
}

function artifactPackage(artifact: DescribedArtifact): unknown {
  return {
    SPDXID: ARTIFACT_ID,
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

/** Document describes artifact, artifact contains components, components contain files; what depends on what. */
function relationships({ components, files }: ComponentModel, ids: Ids): readonly Relationship[] {
  const known = new Set(components.map((c) => c.id));
  const ownerOf = (id: string): string => (known.has(id) ? ids.component(id) : ARTIFACT_ID);
  return [
    relate(DOCUMENT, "DESCRIBES", ARTIFACT_ID),
    ...components.map((c) => relate(ARTIFACT_ID, "CONTAINS", ids.component(c.id))),
    ...files.map((f) => relate(ownerOf(f.owner), "CONTAINS", ids.file(f.path))),
    ...components.flatMap((c) =>
      c.dependsOn
        .filter((id) => known.has(id))
        .map((id) => relate(ids.component(c.id), "DEPENDS_ON", ids.component(id))),
    ),
  ];
}
