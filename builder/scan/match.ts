// SPDX-License-Identifier: Apache-2.0
// Matches components against database entries and applies what we state about them. Entries come one by one, so a
// database may be larger than memory.
import { fixedVersion, isAffected } from "./affected.ts";
import type { ScanComponent } from "./bom-components.ts";
import type { VexStatement } from "./openvex.ts";
import { findStatement } from "./openvex.ts";
import type { OsvEntry } from "./osv.ts";
import type { Severity } from "./severity.ts";
import { SEVERITIES, severityOf } from "./severity.ts";

export interface Finding extends Pick<OsvEntry, "id" | "aliases" | "summary" | "vectors"> {
  readonly severity: Severity;
  readonly component: ScanComponent;
  /** The oldest version that fixes it. */
  readonly fixed: string | undefined;
  readonly vex: VexStatement | undefined;
}

export interface Matcher {
  readonly add: (entry: OsvEntry) => void;
  /** Entries so far, by those of their identifiers that a statement names. */
  readonly seen: () => ReadonlySet<string>;
  /** Worst first, then by component and identifier. */
  readonly findings: () => readonly Finding[];
}

export function createMatcher(components: readonly ScanComponent[], statements: readonly VexStatement[]): Matcher {
  const byName = new Map<string, ScanComponent[]>();
  for (const component of components) {
    const key = keyOf(component.ecosystem, component.name);
    byName.set(key, [...(byName.get(key) ?? []), component]);
  }
  const found = new Map<string, Finding>();
  const named = new Set(statements.flatMap(({ vulnerabilities }) => vulnerabilities));
  const seen = new Set<string>();
  return {
    seen: () => seen,
    add: (entry) => {
      for (const name of [entry.id, ...entry.aliases]) if (named.has(name)) seen.add(name);
      if (entry.withdrawn) return;
      for (const affected of entry.affected) {
        for (const component of byName.get(keyOf(affected.ecosystem, affected.name)) ?? []) {
          if (!matchesRelease(affected.ecosystem, component.ecosystem)) continue;
          if (!isAffected(component.version, affected)) continue;
          const { id, aliases, summary, vectors } = entry;
          const severity = severityOf(vectors, [affected.rating, entry.rating]);
          const vex = findStatement(statements, [id, ...aliases], component.purl);
          const fixed = fixedVersion(component.version, affected);
          found.set(`${id}\0${component.purl}`, { id, aliases, summary, severity, vectors, component, fixed, vex });
        }
      }
    },
    findings: () => [...found.values()].sort(compareFindings),
  };
}

/** A statement that says so takes a finding out of the count; it is still shown. */
export function isSuppressed({ vex }: Finding): boolean {
  return vex?.status === "not_affected" || vex?.status === "fixed";
}

/** Why: what the statement about it says, if there is one. */
export function reasonOf({ vex }: Finding): string {
  return [vex?.justification, vex?.impact].filter((text) => text !== undefined).join(": ");
}

/** Whether an open finding is at least so bad; a severity that nobody knows counts as the worst. */
export function isAtLeast({ severity }: Finding, threshold: (typeof SEVERITIES)[number]): boolean {
  return rank(severity) >= SEVERITIES.indexOf(threshold);
}

/** Packages of one name in any release of a distribution; the release is compared after. */
function keyOf(ecosystem: string, name: string): string {
  return `${ecosystem.split(":")[0] ?? ""}\0${name}`;
}

/** `Debian:13` matches `Debian:13`; where one side names no release, any does. */
function matchesRelease(entry: string, component: string): boolean {
  const [a, b] = [entry.split(":")[1], component.split(":")[1]];
  return a === undefined || b === undefined || a === b;
}

function compareFindings(a: Finding, b: Finding): number {
  const text = (f: Finding): string => `${f.component.purl} ${f.id}`;
  return rank(b.severity) - rank(a.severity) || (text(a) < text(b) ? -1 : 1);
}

function rank(severity: Severity): number {
  return severity === "unknown" ? SEVERITIES.length : SEVERITIES.indexOf(severity);
}
