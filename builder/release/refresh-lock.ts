// SPDX-License-Identifier: Apache-2.0
// Makes the lock anew from what the archive holds now. This is the only place where a package version is chosen.
import type { ArchiveAccess } from "./archive-index.ts";
import { mergeSuites, readSuite } from "./archive-index.ts";
import type { Candidate } from "./closure.ts";
import { resolveGroup } from "./closure.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { parseLock, renderLock } from "./lock.ts";
import { PACKAGE_GROUPS, SUITES } from "./package-groups.ts";

/** Reads and verifies every suite, and resolves every group. Throws SOURCE_UNTRUSTED, LOCK_INVALID, NETWORK. */
export async function refreshLock(access: ArchiveAccess): Promise<Lock> {
  const read = (names: readonly string[]): Promise<Awaited<ReturnType<typeof readSuite>>[]> =>
    Promise.all(names.map((name) => readSuite(name, access)));
  const [preferred, fallback] = await Promise.all([read(SUITES.preferred), read(SUITES.fallback)]);
  const index = mergeSuites(preferred, fallback);
  const chosen = new Map<string, Candidate>();
  const groups: Record<string, readonly string[]> = {};
  for (const group of PACKAGE_GROUPS) {
    const members = resolveGroup(index, group);
    groups[group.name] = members.map((m) => m.name);
    for (const member of members) chosen.set(member.name, member);
  }
  const suites = [...preferred, ...fallback].map((s) => s.locked);
  const packages = [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(lockedFields);
  const epochSeconds = Math.max(...suites.map((s) => s.dateSeconds));
  // A signed index may still hold what no lock may: the same rules apply now and when the file is read.
  return parseLock(renderLock({ format: 1, epochSeconds, suites, groups, packages }), "the refreshed lock");
}

function lockedFields(candidate: Candidate): LockedPackage {
  const { name, version, arch, suite, archive, path, size, sha256 } = candidate;
  return { name, version, arch, suite, archive, path, size, sha256 };
}

/** One line a difference: `name 1.0 -> 1.1`, `+ name 1.0`, `- name 1.0`; a group's members as `group: + name`. */
export function describeLockChange(before: Lock, after: Lock): readonly string[] {
  const old = new Map(before.packages.map((p) => [p.name, p]));
  const now = new Map(after.packages.map((p) => [p.name, p]));
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  const groups = [...new Set([...Object.keys(before.groups), ...Object.keys(after.groups)])].sort();
  const packages = names.flatMap((name) => {
    const [a, b] = [old.get(name), now.get(name)];
    if (a === undefined) return [`+ ${name} ${b?.version ?? ""}`];
    if (b === undefined) return [`- ${name} ${a.version}`];
    if (a.version !== b.version) return [`${name} ${a.version} -> ${b.version}`];
    return a.sha256 === b.sha256 ? [] : [`${name} ${a.version}: the same version with other bytes`];
  });
  return [...packages, ...groups.flatMap((g) => describeGroupChange(g, before.groups[g] ?? [], after.groups[g] ?? []))];
}

/** A package that another group held already changes no version, yet changes this group. */
function describeGroupChange(group: string, before: readonly string[], after: readonly string[]): readonly string[] {
  const added = after.filter((name) => !before.includes(name)).map((name) => `${group}: + ${name}`);
  return [...added, ...before.filter((name) => !after.includes(name)).map((name) => `${group}: - ${name}`)];
}
