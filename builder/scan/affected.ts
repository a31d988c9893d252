// SPDX-License-Identifier: Apache-2.0
// Whether a version is affected. Spec: OSV schema 1.7, "Evaluation": explicit versions, or ranges of events.
import { compareDebianVersions } from "../release/debian-version.ts";
import type { OsvAffected, OsvEvent } from "./osv.ts";
import { compareSemver } from "./semver.ts";

type Compare = (a: string, b: string) => number;

/** Of a package that the caller has matched by ecosystem and name. */
export function isAffected(version: string, { ecosystem, versions, ranges }: OsvAffected): boolean {
  const compare: Compare = ecosystem.startsWith("Debian") ? compareDebianVersions : compareSemver;
  if (versions.some((v) => compare(v, version) === 0)) return true;
  return ranges.some((events) => isInRange(version, events, compare));
}

/** The oldest version of any range that fixes it and is newer than `version`; undefined when there is none. */
export function fixedVersion(version: string, { ecosystem, ranges }: OsvAffected): string | undefined {
  const compare: Compare = ecosystem.startsWith("Debian") ? compareDebianVersions : compareSemver;
  const fixes = ranges.flat().filter((e) => e.kind === "fixed" && compare(e.version, version) > 0);
  return fixes.map((e) => e.version).sort(compare)[0];
}

function isInRange(version: string, events: readonly OsvEvent[], compare: Compare): boolean {
  const order = (a: string, b: string): number => (a === "0" || b === "0" ? rank(a) - rank(b) : compare(a, b));
  const sorted = [...events].sort((a, b) => order(a.version, b.version));
  let affected = false;
  for (const event of sorted) {
    const difference = order(version, event.version);
    if (event.kind === "introduced" && difference >= 0) affected = true;
    if (event.kind === "fixed" && difference >= 0) affected = false;
    if (event.kind === "last_affected" && difference > 0) affected = false;
  }
  return affected;
}

/** "0" is before every other version. */
function rank(version: string): number {
  return version === "0" ? 0 : 1;
}
