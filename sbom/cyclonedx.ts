// SPDX-License-Identifier: Apache-2.0
// Component model -> CycloneDX JSON. Files are nested in the component that owns them; what the library has no model for
// (formulation, compositions), and the time, which it would take as a Date, are added to its result. Written as canonical
// JSON, so that equal models give equal bytes. Spec: CycloneDX 1.6 (ECMA-424) and 1.7.
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import * as Serialize from "@cyclonedx/cyclonedx-library/Serialize";
import * as Spec from "@cyclonedx/cyclonedx-library/Spec";
import { deriveUuid } from "../builder/layout/identity.ts";
import { canonicalJson } from "../builder/plan/canonical-json.ts";
import { cycloneComponent, cycloneFile, propertiesOf } from "./cyclonedx-component.ts";
import type { Component } from "./inventory.ts";
import type { ComponentModel, DescribedArtifact } from "./model.ts";
import { coverageOf } from "./model.ts";
import { rfc3339 } from "./timestamp.ts";

export interface CycloneDxOptions {
  readonly specVersion?: "1.6" | "1.7";
}

const ARTIFACT_REF = "artifact";

/** The document's text, one line of canonical JSON. */
export function toCycloneDx(model: ComponentModel, { specVersion = "1.6" }: CycloneDxOptions = {}): string {
  const spec = specVersion === "1.6" ? Spec.Spec1dot6 : Spec.Spec1dot7;
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(spec));
  const document = JSON.parse(serializer.serialize(bomOf(model), { sortLists: true })) as CycloneDxDocument;
  return `${canonicalJson(complete(document, model))}\n`;
}

/** What is changed or added after the library. */
interface CycloneDxDocument {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly dependencies?: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

function bomOf(model: ComponentModel): Models.Bom {
  const { artifact } = model;
  const filesOf = Map.groupBy(model.files, (file) => file.owner);
  const components = model.components.map((component) =>
    cycloneComponent(component, (filesOf.get(component.id) ?? []).map(cycloneFile)),
  );
  const orphans = (filesOf.get("") ?? []).map(cycloneFile); // waived ones
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
    model.components.map((c) => c.id).filter((id) => filesOf.has(id)),
  );
  return new Models.Bom({
    serialNumber: `urn:uuid:${deriveUuid(artifact.digest, "CycloneDX")}`,
    metadata: new Models.Metadata({ component: main, tools: tools(model.formulation) }),
    components: new Models.ComponentRepository([...components, ...orphans]),
  });
}

function mainComponent(artifact: DescribedArtifact, model: ComponentModel): Models.Component {
  const { percent } = coverageOf(model);
  const main = cycloneComponent(
    {
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
    },
    [],
  );
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
    components: new Models.ComponentRepository(factory.map((c) => cycloneComponent({ ...c, id: `tool:${c.id}` }, []))),
  });
}

/** Adds time, formulation and compositions; leaves out files from the graph, which depend on nothing. */
function complete(document: CycloneDxDocument, model: ComponentModel): unknown {
  const files = new Set(model.files.map((f) => `file:${f.path}`));
  const dependencies = (document.dependencies ?? [])
    .filter(({ ref }) => !files.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn }));
  const isComplete = coverageOf(model).percent === 100 && model.waived.length === 0;
  const aggregate = isComplete ? "complete" : "incomplete";
  return {
    ...document,
    metadata: {
      ...document.metadata,
      timestamp: rfc3339(model.artifact.epochSeconds),
      lifecycles: [{ phase: "build" }],
    },
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
