// SPDX-License-Identifier: Apache-2.0
// Components as CycloneDX components, by the library; those under formulation, which it has no model for, as JSON. Each
// gets a bom-ref of its own: the library would make up a random one.
import * as Enums from "@cyclonedx/cyclonedx-library/Enums";
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import { propertiesOf } from "./cyclonedx.ts";
import type { Component, ComponentKind } from "./inventory.ts";

const TYPES: Readonly<Record<ComponentKind, Enums.ComponentType>> = {
  "operating-system": Enums.ComponentType.OperatingSystem,
  application: Enums.ComponentType.Application,
  library: Enums.ComponentType.Library,
  firmware: Enums.ComponentType.Firmware,
  "device-driver": Enums.ComponentType.DeviceDriver,
  data: Enums.ComponentType.Data,
};

/** A component without its files. Go modules are split into group and name, as scanners expect them. */
export function cycloneComponent(c: Component): Models.Component {
  const properties = propertiesOf(Object.entries(c.facts));
  const slash = c.purl?.startsWith("pkg:golang/") === true ? c.name.lastIndexOf("/") : -1;
  const made = new Models.Component(TYPES[c.kind], c.name.slice(slash + 1), {
    bomRef: c.id,
    version: c.version,
    ...(slash < 0 ? {} : { group: c.name.slice(0, slash) }),
    ...(c.description === "" ? {} : { description: c.description }),
    ...(c.purl === null ? {} : { purl: c.purl }),
    ...(c.supplier === "" ? {} : { supplier: new Models.OrganizationalEntity({ name: c.supplier }) }),
    ...(c.copyrights.length === 0 ? {} : { copyright: c.copyrights.join("\n") }),
    ...(c.sha256 === null ? {} : { hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], c.sha256]]) }),
    licenses: new Models.LicenseRepository(
      c.licence === "NOASSERTION" ? [] : [new Models.LicenseExpression(c.licence)],
    ),
    properties: new Models.PropertyRepository(properties.map(({ name, value }) => new Models.Property(name, value))),
  });
  if (c.cpe !== null) made.cpe = c.cpe;
  return made;
}

/** A tool that the release was made with. */
export function formulaComponent(c: Component): unknown {
  const properties = propertiesOf(Object.entries(c.facts));
  return {
    type: c.kind,
    "bom-ref": `formula:${c.id}`,
    name: c.name,
    version: c.version,
    description: c.description,
    ...(c.purl === null ? {} : { purl: c.purl }),
    ...(c.sha256 === null ? {} : { hashes: [{ alg: "SHA-256", content: c.sha256 }] }),
    ...(c.licence === "NOASSERTION" ? {} : { licenses: [{ expression: c.licence }] }),
    ...(properties.length === 0 ? {} : { properties }),
  };
}
