// SPDX-License-Identifier: Apache-2.0
// Component model -> CycloneDX JSON. The library makes the head and each component. Ours are what it has no model for
// (formulation, compositions), the time, which it would take as a Date, the graph, and the files, nested in the component
// that owns them: they are so many that it would double the time. Equal models give equal bytes: a model is in order, and so is what is made of it.
// The library's own sorting is not used, since it goes by the host's locale. Spec: CycloneDX 1.6 (ECMA-424) and 1.7.
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import * as Serialize from "@cyclonedx/cyclonedx-library/Serialize";
import * as Spec from "@cyclonedx/cyclonedx-library/Spec";
import { bug } from "../builder/errors.ts";
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

type Factory = Serialize.JSON.Normalize.Factory;

const FACTORIES: Readonly<Record<"1.6" | "1.7", Factory>> = {
  "1.6": new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6),
  "1.7": new Serialize.JSON.Normalize.Factory(Spec.Spec1dot7),
};

/** The document's text, in one line. */
export function toCycloneDx(model: ComponentModel, { specVersion = "1.6" }: CycloneDxOptions = {}): string {
  const factory = FACTORIES[specVersion];
  const head = factory.makeForBom().normalize(headOf(model), { sortLists: false });
  return `${JSON.stringify(complete(head as unknown as CycloneDxHead, model, factory))}\n`;
}

/** What the library makes of a document without components. */
interface CycloneDxHead {
  readonly metadata: Readonly<Record<string, unknown>>;
}

function headOf(model: ComponentModel): Models.Bom {
  return new Models.Bom({
    serialNumber: `urn:uuid:${deriveUuid(model.artifact.digest, "CycloneDX")}`,
    metadata: new Models.Metadata({
      component: mainComponent(model.artifact, model),
      tools: tools(model.formulation),
    }),
  });
}

/** By the library's factory: the artifacts of one build have most components in common, as the very same objects. */
const normalized = new WeakMap<Factory, WeakMap<Component, object>>();

function normalize(component: Component, factory: Factory): object {
  const known = normalized.get(factory) ?? new WeakMap<Component, object>();
  normalized.set(factory, known);
  const made =
    known.get(component) ?? factory.makeForComponent().normalize(cycloneComponent(component), { sortLists: false });
  if (made === undefined) throw bug(`CycloneDX ${factory.spec.version} has no component ${component.id}`);
  known.set(component, made);
  return made;
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

/** Adds components, files, time, graph, formulation and compositions. Files are not in the graph: they depend on nothing. */
function complete(head: CycloneDxHead, model: ComponentModel, factory: Factory): unknown {
  const filesOf = Map.groupBy(model.files, (file) => file.owner);
  const filesIn = (id: string): readonly unknown[] => (filesOf.get(id) ?? []).map(cycloneFile);
  const components = model.components.map((component) => {
    const files = filesIn(component.id);
    const made = normalize(component, factory);
    return files.length === 0 ? made : { ...made, components: files };
  });
  const isComplete = coverageOf(model).percent === 100 && model.waived.length === 0;
  const aggregate = isComplete ? "complete" : "incomplete";
  return {
    ...head,
    metadata: {
      ...head.metadata,
      timestamp: rfc3339(model.artifact.epochSeconds),
      lifecycles: [{ phase: "build" }],
    },
    components: [...components, ...filesIn(NO_OWNER)], // waived files stand alone
    dependencies: dependencies(model),
    compositions: [{ aggregate, assemblies: [ARTIFACT_REF] }],
    formulation: [{ "bom-ref": "formula:release", components: model.formulation.map(formulaComponent) }],
  };
}

/** What depends on what, by bom-ref, in order; the artifact depends on whatever owns a file of it. */
function dependencies({ components, files }: ComponentModel): readonly unknown[] {
  const known = new Set(components.map((c) => c.id));
  const owners = new Set(files.map((f) => f.owner));
  const all = [
    { ref: ARTIFACT_REF, dependsOn: components.map((c) => c.id).filter((id) => owners.has(id)) },
    ...components.map(({ id, dependsOn }) => ({ ref: id, dependsOn: dependsOn.filter((to) => known.has(to)).sort() })),
  ];
  return all.sort((a, b) => (a.ref < b.ref ? -1 : 1));
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
