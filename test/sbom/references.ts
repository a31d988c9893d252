// SPDX-License-Identifier: Apache-2.0
// What schemas do not check: that identifiers are unique and that references lead somewhere.

interface Node {
  readonly "bom-ref"?: string;
  readonly components?: readonly Node[];
}

export interface CycloneDx {
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly component: Node & { readonly hashes: readonly unknown[] } };
  readonly components: readonly (Node & Readonly<Record<string, unknown>>)[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
  readonly compositions: readonly { readonly aggregate: string; readonly assemblies: readonly string[] }[];
  readonly formulation: readonly { readonly components: readonly Node[] }[];
}

/** Duplicate refs, refs to nothing, and components without a ref. */
export function cycloneDxProblems(bom: CycloneDx): readonly string[] {
  const refs: string[] = [];
  const problems: string[] = [];
  const walk = (node: Node): void => {
    if (node["bom-ref"] === undefined) problems.push(`no bom-ref: ${JSON.stringify(node).slice(0, 80)}`);
    else refs.push(node["bom-ref"]);
    node.components?.forEach(walk);
  };
  walk(bom.metadata.component);
  bom.components.forEach(walk);
  bom.formulation.flatMap((f) => f.components).forEach(walk);
  const known = new Set(refs);
  problems.push(...refs.filter((ref, i) => refs.indexOf(ref) !== i).map((ref) => `twice: ${ref}`));
  const used = [
    ...bom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]),
    ...bom.compositions.flatMap((c) => c.assemblies),
  ];
  problems.push(...used.filter((ref) => !known.has(ref)).map((ref) => `leads nowhere: ${ref}`));
  return problems;
}

interface Element {
  readonly SPDXID: string;
}

export interface Spdx {
  readonly spdxVersion: string;
  readonly SPDXID: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly documentDescribes: readonly string[];
  readonly packages: readonly (Element & Readonly<Record<string, unknown>>)[];
  readonly files: readonly (Element & {
    readonly fileName: string;
    readonly checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  })[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string; readonly extractedText: string }[];
}

/** SPDX 2.3: identifiers (clause 7.2, 8.2), relationships (11.1), mandatory fields (7, 8), other licences (10.1). */
export function spdxProblems(document: Spdx): readonly string[] {
  const ids = ["SPDXRef-DOCUMENT", ...document.packages.map((p) => p.SPDXID), ...document.files.map((f) => f.SPDXID)];
  const known = new Set(ids);
  const extracted = new Set(document.hasExtractedLicensingInfos.map((l) => l.licenseId));
  const refs = JSON.stringify(document.packages).match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [];
  const ends = document.relationships.flatMap((r) => [r.spdxElementId, r.relatedSpdxElement]);
  const contained = document.relationships
    .filter((r) => r.relationshipType === "CONTAINS")
    .map((r) => r.relatedSpdxElement);
  return [
    ...ids.filter((id) => !/^SPDXRef-[A-Za-z0-9.-]+$/.test(id)).map((id) => `not an identifier: ${id}`),
    ...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `twice: ${id}`),
    ...[...ends, ...document.documentDescribes].filter((id) => !known.has(id)).map((id) => `leads nowhere: ${id}`),
    ...refs.filter((ref) => !extracted.has(ref)).map((ref) => `no text: ${ref}`),
    ...document.packages.flatMap((p) =>
      ["name", "downloadLocation", "licenseDeclared", "copyrightText"].flatMap((key) =>
        typeof p[key] === "string" && p[key] !== "" ? [] : [`${p.SPDXID}: no ${key}`],
      ),
    ),
    ...document.files.flatMap(({ SPDXID, fileName, checksums }) => [
      ...(fileName.startsWith("./") ? [] : [`${SPDXID}: ${fileName}`]),
      ...(checksums.some((c) => c.algorithm === "SHA1" && /^[0-9a-f]{40}$/.test(c.checksumValue))
        ? []
        : [`${SPDXID}: SHA1`]),
      ...(contained.filter((id) => id === SPDXID).length === 1 ? [] : [`${SPDXID}: not in exactly one package`]),
    ]),
  ];
}
