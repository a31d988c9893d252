// SPDX-License-Identifier: Apache-2.0
// The components of a CycloneDX SBOM as a table from package to version, for comparison. Spec: CycloneDX 1.6,
// "components". Left out: components nested in components of components beyond 16 levels; the SBOM is not validated.
import type { JsonObject } from "../evidence/json.ts";
import { isObject } from "../evidence/json.ts";

const MAX_LEVELS = 16;

/**
 * `bom` is the parsed document, of whose components those of the type `without` are left out. Names without version:
 * `pkg:deb/debian/grub-common`, or the component's own name.
 */
export function componentTable(bom: unknown, without?: "file"): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  const visit = (value: unknown, level: number): void => {
    if (!Array.isArray(value) || level > MAX_LEVELS) return;
    for (const component of value as unknown[]) {
      if (!isObject(component)) continue;
      if (without === undefined || component["type"] !== without) addComponent(table, component);
      visit(component["components"], level + 1);
    }
  };
  if (isObject(bom)) visit(bom["components"], 0);
  return table;
}

/** A name that comes more than once has all its versions. */
function addComponent(table: Map<string, string>, component: JsonObject): void {
  const name = packageName(component);
  const version = text(component["version"]) ?? hashOf(component["hashes"]) ?? "(no version)";
  const known = table.get(name)?.split(", ") ?? [];
  table.set(name, known.includes(version) ? known.join(", ") : [...known, version].sort().join(", "));
}

function packageName(component: JsonObject): string {
  const purl = text(component["purl"]);
  if (purl !== undefined) return purl.replace(/[@?#].*$/, "");
  const group = text(component["group"]);
  const name = text(component["name"]) ?? "(no name)";
  return `${text(component["type"]) ?? "component"} ${group === undefined ? "" : `${group}/`}${name}`;
}

/** The SHA-256 where there is one: files have a SHA-1 besides, by which two of them may be made to look alike. */
function hashOf(hashes: unknown): string | undefined {
  const all = Array.isArray(hashes) ? (hashes as unknown[]).filter(isObject) : [];
  const chosen = all.find((hash) => hash["alg"] === "SHA-256") ?? all[0];
  return chosen === undefined ? undefined : `${text(chosen["alg"]) ?? "hash"}:${text(chosen["content"]) ?? ""}`;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
