// SPDX-License-Identifier: Apache-2.0
// Component model -> CycloneDX JSON. What the release decides is there as finished text (release-texts.ts), most of it made
// by the library; here come the artifact, what its profile adds, its files, nested in the component that owns them, and
// the graph. Equal models give equal bytes: a model is in order, and so is what is made of it.
// Spec: CycloneDX 1.6 (ECMA-424) and 1.7; the texts decide which.
import { bug } from "../builder/errors.ts";
import { deriveUuid } from "../builder/layout/identity.ts";
import type { Component, ComponentKind } from "./inventory.ts";
import { NO_OWNER } from "./inventory.ts";
import type { JsonText } from "./json-text.ts";
import { documentBytes, jsonList, jsonValue, withMember } from "./json-text.ts";
import type { ComponentModel, DescribedArtifact, ModelFile } from "./model.ts";
import { coverageOf } from "./model.ts";
import type { Texts } from "./texts.ts";
import { CYCLONEDX_FORMULATION, CYCLONEDX_HEAD, cycloneText, textNamed } from "./texts.ts";
import { rfc3339 } from "./timestamp.ts";

interface Property {
  readonly name: string;
  readonly value: string;
}

const ARTIFACT_REF = "artifact";

/** The document, in one line. `texts` are those of the release that the artifact was made of. */
export function toCycloneDx(model: ComponentModel, texts: Texts): Buffer {
  const filesOf = Map.groupBy(model.files, (file) => file.owner);
  const filesIn = (id: string): readonly JsonText[] => (filesOf.get(id) ?? []).map((f) => jsonValue(cycloneFile(f)));
  const components = model.components.map((component): JsonText => {
    const known = texts.get(cycloneText(component.id));
    const text = known === undefined ? jsonValue(plainComponent(component)) : [known];
    const files = filesIn(component.id);
    return files.length === 0 ? text : withMember(text, "components", jsonList(files));
  });
  const isComplete = coverageOf(model).percent === 100 && model.waived.length === 0;
  const compositions = [{ aggregate: isComplete ? "complete" : "incomplete", assemblies: [ARTIFACT_REF] }];
  const formula = withMember(jsonValue({ "bom-ref": "formula:release" }), "components", [
    textNamed(texts, CYCLONEDX_FORMULATION),
  ]);
  const members: readonly (readonly [name: string, value: JsonText])[] = [
    ["components", jsonList([...components, ...filesIn(NO_OWNER)])], // waived files stand alone
    ["dependencies", jsonValue(dependencies(model))],
    ["compositions", jsonValue(compositions)],
    ["formulation", jsonList([formula])],
  ];
  const start = jsonValue(head(model, textNamed(texts, CYCLONEDX_HEAD)));
  return documentBytes(members.reduce((text, [name, value]) => withMember(text, name, value), start));
}

/** What the library makes of a release without an artifact; empty lists besides. */
type LibraryHead = Readonly<Record<"$schema" | "bomFormat" | "specVersion" | "version", unknown>> & {
  readonly metadata: object;
};

/** The library's head of the release, with the artifact and the plan's time. */
function head(model: ComponentModel, text: Uint8Array): unknown {
  const made = JSON.parse(Buffer.from(text).toString()) as LibraryHead;
  const { $schema, bomFormat, specVersion, version } = made;
  const { artifact } = model;
  const serialNumber = `urn:uuid:${deriveUuid(artifact.digest, "CycloneDX")}`;
  const metadata = {
    timestamp: rfc3339(artifact.epochSeconds),
    lifecycles: [{ phase: "build" }],
    ...made.metadata,
    component: mainComponent(artifact, model),
  };
  return { $schema, bomFormat, specVersion, version, serialNumber, metadata };
}

function mainComponent(artifact: DescribedArtifact, model: ComponentModel): unknown {
  return plainComponent({
    id: ARTIFACT_REF,
    kind: "firmware",
    name: artifact.file,
    version: artifact.version,
    description: `Dodeka ${artifact.version} for ${artifact.platform} on ${artifact.arch}, as ${artifact.kind}`,
    supplier: "",
    licence: "NOASSERTION",
    copyrights: [],
    purl: null,
    cpe: null,
    sha256: artifact.digest,
    dependsOn: [],
    facts: {
      coverage: `${coverageOf(model).percent}%`,
      "output-kind": artifact.kind,
      plan: artifact.planId,
      size: String(artifact.size),
      ...Object.fromEntries(model.waived.map((w) => [`waiver:${w.path}`, w.reason])),
    },
  });
}

const PLAIN_TYPES: Readonly<Partial<Record<ComponentKind, string>>> = { firmware: "firmware", data: "data" };

/** The artifact, and what a profile adds, as the library writes it, which takes long to load. Throws BUG for others. */
export function plainComponent(c: Component): unknown {
  const type = PLAIN_TYPES[c.kind];
  if (type === undefined || c.sha256 === null || !isPlain(c)) throw bug(`there is no text of component ${c.id}`);
  const properties = propertiesOf(Object.entries(c.facts));
  return {
    type,
    name: c.name,
    version: c.version,
    "bom-ref": c.id,
    description: c.description,
    hashes: [{ alg: "SHA-256", content: c.sha256 }],
    ...(properties.length === 0 ? {} : { properties }),
  };
}

/** Has nothing but name, version, description, digest and facts. */
function isPlain({ supplier, licence, copyrights, purl, cpe }: Component): boolean {
  return supplier === "" && licence === "NOASSERTION" && copyrights.length === 0 && purl === null && cpe === null;
}

function cycloneFile(file: ModelFile): unknown {
  const facts: readonly (readonly [name: string, value: string])[] = [
    ["content", file.kind === "container" ? "container" : ""],
    ["mode", file.mode === null ? "" : file.mode.toString(8).padStart(4, "0")],
    ["size", String(file.size)],
    ["target", file.target ?? ""],
  ];
  return {
    type: "file",
    "bom-ref": `file:${file.path}`,
    name: file.path,
    hashes: [
      { alg: "SHA-1", content: file.sha1 },
      { alg: "SHA-256", content: file.sha256 },
    ],
    properties: propertiesOf(facts),
  };
}

/** Facts as properties in our own name space; empty values are left out. */
export function propertiesOf(facts: readonly (readonly [name: string, value: string])[]): readonly Property[] {
  return facts.filter(([, value]) => value !== "").map(([name, value]) => ({ name: `dodeka:${name}`, value }));
}

/**
 * What depends on what, by bom-ref, in order; the artifact depends on whatever owns a file of it. Files are not in it: they
 * depend on nothing.
 */
function dependencies({ components, files }: ComponentModel): readonly unknown[] {
  const known = new Set(components.map((c) => c.id));
  const owners = new Set(files.map((f) => f.owner));
  const all = [
    { ref: ARTIFACT_REF, dependsOn: components.map((c) => c.id).filter((id) => owners.has(id)) },
    ...components.map(({ id, dependsOn }) => ({ ref: id, dependsOn: dependsOn.filter((to) => known.has(to)).sort() })),
  ];
  return all.sort((a, b) => (a.ref < b.ref ? -1 : 1));
}
