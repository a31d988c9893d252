// SPDX-License-Identifier: Apache-2.0
// Inventory -> the texts that SBOMs of every artifact of the release are put together from. CycloneDX's are made by the
// library, except for what it has no model for (formulation). Its own sorting is not used, since it goes by the host's
// locale; an inventory is in order. Spec: CycloneDX 1.6 (ECMA-424) and 1.7, SPDX 2.3.
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import * as Serialize from "@cyclonedx/cyclonedx-library/Serialize";
import * as Spec from "@cyclonedx/cyclonedx-library/Spec";
import { bug } from "../builder/errors.ts";
import { cycloneComponent, formulaComponent } from "./cyclonedx-component.ts";
import type { Component, Inventory } from "./inventory.ts";
import { spdxTools, spdxPackage } from "./spdx-package.ts";
import type { Texts } from "./texts.ts";
import {
  CYCLONEDX_FORMULATION,
  CYCLONEDX_HEAD,
  SPDX_TOOLS,
  SPDX_TOOL_RELATIONS,
  cycloneText,
  licenceText,
  spdxText,
} from "./texts.ts";

export type CycloneDxVersion = "1.6" | "1.7";

type Factory = Serialize.JSON.Normalize.Factory;

const SPECS = { "1.6": Spec.Spec1dot6, "1.7": Spec.Spec1dot7 } as const;

/** Equal inventories give equal texts. */
export function releaseTexts(
  { components, formulation, licences }: Pick<Inventory, "components" | "formulation" | "licences">,
  specVersion: CycloneDxVersion = "1.6",
): Texts {
  const factory = new Serialize.JSON.Normalize.Factory(SPECS[specVersion]);
  const tools = spdxTools(formulation);
  const texts: (readonly [name: string, value: unknown])[] = [
    [CYCLONEDX_HEAD, head(formulation, factory)],
    [CYCLONEDX_FORMULATION, formulation.map(formulaComponent)],
    [SPDX_TOOLS, tools.packages],
    [SPDX_TOOL_RELATIONS, tools.relations],
    ...components.map((c) => [cycloneText(c.id), normalize(c, factory)] as const),
    ...components.map((c) => [spdxText(c.id), spdxPackage(c)] as const),
    ...Object.entries(licences).map(([ref, text]) => [licenceText(ref), extractedLicence(ref, text)] as const),
  ];
  return new Map(texts.map(([name, value]) => [name, Buffer.from(JSON.stringify(value))]));
}

/** What the library makes of a document without an artifact and without components. */
function head(formulation: readonly Component[], factory: Factory): unknown {
  // The factory itself; everything else that made an image is under formulation.
  const made = formulation.filter((c) => c.purl?.startsWith("pkg:generic/dodeka-factory@") === true);
  const tools = made.map((c) => cycloneComponent({ ...c, id: `tool:${c.id}` }));
  const metadata = new Models.Metadata({
    tools: new Models.Tools({ components: new Models.ComponentRepository(tools) }),
  });
  return factory.makeForBom().normalize(new Models.Bom({ metadata }), { sortLists: false });
}

function normalize(component: Component, factory: Factory): unknown {
  const made = factory.makeForComponent().normalize(cycloneComponent(component), { sortLists: false });
  if (made === undefined) throw bug(`CycloneDX ${factory.spec.version} has no component ${component.id}`);
  return made;
}

/** SPDX 2.3 clause 10. */
function extractedLicence(licenseId: string, extractedText: string): unknown {
  return { licenseId, name: licenseId.replace("LicenseRef-", ""), extractedText };
}
