// SPDX-License-Identifier: Apache-2.0
// Formulation: what a release was made with. The toolbox's packages from the lock, Node and the factory's libraries from
// package-lock.json, and the factory itself by the digest of its sources.
import { readFile } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import type { Component } from "../../sbom/inventory.ts";
import { debianPurl, genericPurl, npmPurl } from "../../sbom/package-url.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { packagesOf } from "./lock.ts";

const PACKAGE_LOCK = new URL("../../package-lock.json", import.meta.url);

/** Every tool and library, sorted by id. `group` is the toolbox's. */
export async function describeTools(
  lock: Lock,
  group: string,
  factory: { readonly version: string; readonly builder: Sha256 },
): Promise<readonly Component[]> {
  const libraries = parsePackageLock(await readFile(PACKAGE_LOCK, "utf8"));
  const node = tool("Node.js", process.versions.node, genericPurl("node", process.versions.node), "runs the factory");
  const ours = tool("dodeka", factory.version, genericPurl("dodeka-factory", factory.version), "the factory");
  const all = [
    ...packagesOf(lock, group).map(packageTool),
    ...libraries,
    node,
    { ...ours, licence: "Apache-2.0", facts: { "factory:sources": factory.builder } },
  ];
  return all.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function packageTool(entry: LockedPackage): Component {
  const purl = debianPurl({ ...entry, source: entry.name, sourceVersion: "" });
  const made = tool(entry.name, entry.version, purl, "package of the toolbox");
  return { ...made, sha256: entry.sha256, facts: { "debian:suite": entry.suite } };
}

interface LockedLibrary {
  readonly version?: string;
  readonly dev?: boolean;
  readonly license?: unknown;
  readonly integrity?: string;
}

/** The factory's own dependencies, without those of its tests. Throws LOCK_INVALID. */
export function parsePackageLock(text: string): readonly Component[] {
  const { packages } = JSON.parse(text) as { packages?: Readonly<Record<string, LockedLibrary>> };
  if (packages === undefined) {
    const fix = "run `npm install` to write it anew";
    throw new FactoryError({ code: "LOCK_INVALID", file: "package-lock.json", expected: "a list of packages", fix });
  }
  const found = Object.entries(packages).filter(([path, entry]) => path !== "" && entry.dev !== true);
  const libraries = found.map(([path, { version = "", license, integrity = "" }]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const made = tool(name, version, npmPurl(name, version), "library of the factory");
    const licence = typeof license === "string" && /^[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$/.test(license);
    return { ...made, licence: licence ? license : "NOASSERTION", facts: { "npm:integrity": integrity } };
  });
  return [...new Map(libraries.map((l) => [l.id, l])).values()]; // the same version may lie in several folders
}

function tool(name: string, version: string, purl: string, description: string): Component {
  return {
    id: purl,
    kind: "application",
    name,
    version,
    description,
    supplier: "",
    licence: "NOASSERTION",
    copyrights: [],
    purl,
    cpe: null,
    sha256: null,
    dependsOn: [],
    facts: {},
  };
}
