// SPDX-License-Identifier: Apache-2.0
// Component model -> CycloneDX JSON. Files are nested in the component that owns them. Added to the library's result are
// what it has no model for (formulation, compositions), the time, which it would take as a Date, and the files, which are
// so many that it would double the time. Equal models give equal bytes: a model is in order, and so is what is made of it.
// The library's own sorting is not used, since it goes by the host's locale. Spec: CycloneDX 1.6 (ECMA-424) and 1.7.
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import * as Serialize from "@cyclonedx/cyclonedx-library/Serialize";
import * as Spec from "@cyclonedx/cyclonedx-library/Spec";
import { deriveUuid } from "../builder/layout/identity.ts";
import { cycloneComponent, cycloneFile, propertiesOf } from "./cyclonedx-component.ts";
import type { Component } from "./inventory.ts";
import { NO_OWNER } from "./inventory.ts";
import type { ComponentModel, DescribedArtifact } from "./model.ts";
import { coverageOf } from "./model.ts";
import { rfc3339 } from "./timestamp.ts";

export interface CycloneDxOptions {
  readonly specVersion?: "1.6" | "1.7";
}

const ARTIFACT_REF = "artifact";

/** The document's text, in one line. */
export function toCycloneDx(model: ComponentModel, { specVersion = "1.6" }: CycloneDxOptions = {}): string {
  const spec = specVersion === "1.6" ? Spec.Spec1dot6 : Spec.Spec1dot7;
  const normalizer = new Serialize.JSON.Normalize.Factory(spec).makeForBom();
  const document = normalizer.normalize(bomOf(model), { sortLists: false }) as unknown as CycloneDxDocument;
  return `${JSON.stringify(complete(document, model))}\n`;
}

/** What is changed or added after the library. */
interface CycloneDxDocument {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly components: readonly { readonly "bom-ref": string }[];
  readonly dependencies?: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

function bomOf(model: ComponentModel): Models.Bom {
  const { artifact } = model;
  const owners = new Set(model.files.map((file) => file.owner));
  const components = model.components.map(cycloneComponent);
  const refs = new Map(components.map((c) => [c.bomRef.value, c]));
  const depend = (from: Models.Component, to: readonly string[]): void => {
    for (const id of to) {
      const found = refs.get(id);
      if (found !== undefined) from.dependencies.add(found.bomRef);
    }
  };
  for (const { id, dependsOn } of model.components) {
    const from = refs.get(id);
    if (from !== undefined) depend(from, dependsOn);
  }
  const main = mainComponent(artifact, model);
  depend(
    main,
    model.components.map((c) => c.id).filter((id) => owners.has(id)),
  );
  return new Models.Bom({
    serialNumber: `urn:uuid:${deriveUuid(artifact.digest, "CycloneDX")}`,
    metadata: new Models.Metadata({ component: main, tools: tools(model.formulation) }),
    components: new Models.ComponentRepository(components),
  });
}

function mainComponent(artifact: DescribedArtifact, model: ComponentModel): Models.Component {
  const { percent } = coverageOf(model);
  const main = cycloneComponent({
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
    facts: {},
  });
  main.properties = propertiesOf({
    coverage: `${percent}%`,
    "output-kind": artifact.kind,
    plan: artifact.planId,
    size: String(artifact.size),
    ...Object.fromEntries(model.waived.map((w) => [`waiver:${w.path}`, w.reason])),
  });
  return main;
}

/** The factory itself; everything else that made the image is under formulation. */
function tools(formulation: readonly Component[]): Models.Tools {
  const factory = formulation.filter((c) => c.purl?.startsWith("pkg:generic/dodeka-factory@") === true);
  return new Models.Tools({
    components: new Models.ComponentRepository(factory.map((c) => cycloneComponent({ ...c, id: `tool:${c.id}` }))),
  });
}

/** Adds files, time, formulation and compositions. Files are not in the graph: they depend on nothing. */
function complete(document: CycloneDxDocument, model: ComponentModel): unknown {
  const filesOf = Map.groupBy(model.files, (file) => file.owner);
  const filesIn = (id: string): readonly unknown[] => (filesOf.get(id) ?? []).map(cycloneFile);
  const components = document.components.map((component) => {
    const files = filesIn(component["bom-ref"]);
    return files.length === 0 ? component : { ...component, components: files };
  });
  const dependencies = (document.dependencies ?? [])
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.toSorted() }))
    .sort((a, b) => (a.ref < b.ref ? -1 : 1));
  const isComplete = coverageOf(model).percent === 100 && model.waived.length === 0;
  const aggregate = isComplete ? "complete" : "incomplete";
  return {
    ...document,
    metadata: {
      ...document.metadata,
      timestamp: rfc3339(model.artifact.epochSeconds),
      lifecycles: [{ phase: "build" }],
    },
    components: [...components, ...filesIn(NO_OWNER)], // waived files stand alone
    dependencies,
    compositions: [{ aggregate, assemblies: [ARTIFACT_REF] }],
    formulation: [{ "bom-ref": "formula:release", components: model.formulation.map(formulaComponent) }],
  };
}

function formulaComponent(c: Component): unknown {
  const facts = Object.entries(c.facts).filter(([, value]) => value !== "");
  return {
    type: c.kind,
    "bom-ref": `formula:${c.id}`,
    name: c.name,
    version: c.version,
    description: c.description,
    ...(c.purl === null ? {} : { purl: c.purl }),
    ...(c.sha256 === null ? {} : { hashes: [{ alg: "SHA-256", content: c.sha256 }] }),
    ...(c.licence === "NOASSERTION" ? {} : { licenses: [{ expression: c.licence }] }),
    ...(facts.length === 0 ? {} : { properties: facts.map(([name, value]) => ({ name: `dodeka:${name}`, value })) }),
  };
}
