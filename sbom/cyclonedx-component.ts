// SPDX-License-Identifier: Apache-2.0
// Components and files as CycloneDX components. Each gets a bom-ref of its own: the library would make up a random one.
import * as Enums from "@cyclonedx/cyclonedx-library/Enums";
import * as Models from "@cyclonedx/cyclonedx-library/Models";
import type { Component, ComponentKind } from "./inventory.ts";
import type { ModelFile } from "./model.ts";

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
    properties: propertiesOf(c.facts),
  });
  if (c.cpe !== null) made.cpe = c.cpe;
  return made;
}

/** A file as the JSON of a component. */
export function cycloneFile(file: ModelFile): unknown {
  const facts = [
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
    properties: facts.filter(([, value]) => value !== "").map(([name, value]) => ({ name: `dodeka:${name}`, value })),
  };
}

/** Properties of our own name space; empty values are left out. */
export function propertiesOf(facts: Readonly<Record<string, string>>): Models.PropertyRepository {
  const given = Object.entries(facts).filter(([, value]) => value !== "");
  return new Models.PropertyRepository(given.map(([name, value]) => new Models.Property(`dodeka:${name}`, value)));
}
