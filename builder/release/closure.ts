// SPDX-License-Identifier: Apache-2.0
// Picks packages and their dependencies from Packages indices. Alternatives take the first that exists; virtual
// packages take the first provider by name. Version constraints are not solved: within one suite they hold by the
// archive's own rules, and a tool that would not start fails the build at once.
import { FactoryError } from "../errors.ts";
import type { LockedPackage } from "./lock.ts";
import type { PackageGroup } from "./package-groups.ts";

export interface Candidate extends LockedPackage {
  /** Each clause a list of alternatives: package names without versions and architectures. */
  readonly depends: readonly (readonly string[])[];
  readonly provides: readonly string[];
}

export type Index = ReadonlyMap<string, Candidate>;

/** The members of a group, sorted by name. Throws LOCK_INVALID that names a package the archive does not have. */
export function resolveGroup(index: Index, group: PackageGroup): readonly Candidate[] {
  switch (group.kind) {
    case "toolbox":
      return closure(index, group);
    case "parts":
      return group.packages.map((name) => partOf(index, name, group));
    default:
      return group.kind satisfies never;
  }
}

/** A meta package (linux-image-amd64) stands for the one versioned package of its family that it depends on. */
function partOf(index: Index, name: string, group: PackageGroup): Candidate {
  const found = find(index, name, group);
  const family = found.depends.flat().find((d) => d.startsWith("linux-image-") && d !== name);
  return family === undefined ? found : find(index, family, group);
}

function closure(index: Index, group: PackageGroup): readonly Candidate[] {
  const chosen = new Map<string, Candidate>();
  const skipped = new Set(group.without);
  const providers = providersOf(index);
  const queue = [...group.packages];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (chosen.has(name) || skipped.has(name)) continue;
    const found = find(index, name, group);
    chosen.set(name, found);
    for (const clause of found.depends) {
      if (clause.some((n) => chosen.has(n) || skipped.has(n))) continue;
      const real = clause.find((n) => index.has(n)) ?? clause.flatMap((n) => providers.get(n) ?? [])[0];
      if (real === undefined) throw absent(clause.join(" | "), `${group.name} (for ${name})`);
      queue.push(real);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function providersOf(index: Index): Map<string, string[]> {
  const providers = new Map<string, string[]>();
  for (const candidate of [...index.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const name of candidate.provides) providers.set(name, [...(providers.get(name) ?? []), candidate.name]);
  }
  return providers;
}

function find(index: Index, name: string, group: PackageGroup): Candidate {
  const found = index.get(name);
  if (found === undefined) throw absent(name, group.name);
  return found;
}

function absent(name: string, group: string): FactoryError {
  return new FactoryError({
    code: "LOCK_INVALID",
    field: `group ${group}`,
    found: name,
    expected: "a package that the archive has",
    fix: "correct builder/release/package-groups.ts",
  });
}
