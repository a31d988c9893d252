// SPDX-License-Identifier: Apache-2.0
// The lock: every Debian package that compile may read, by SHA-256. Go modules are locked by userland/go.sum and npm
// packages by package-lock.json. The archive's address is not in it: any mirror will do, since the digest decides.
import { readFileSync } from "node:fs";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256, sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";

/** Which of Debian's archives a path belongs to; each has its own base address. */
export type ArchiveName = "debian" | "debian-security";

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: "amd64" | "all";
  readonly suite: string;
  readonly archive: ArchiveName;
  /** Below the archive's base address, starting with `pool/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: Sha256;
}

/** One suite's state when the lock was made. */
export interface LockedSuite {
  readonly name: string;
  /** SHA-256 of the signed InRelease file. */
  readonly inRelease: Sha256;
  /** Seconds since 1970, from the Release file's Date. */
  readonly dateSeconds: number;
}

export interface Lock {
  readonly format: 1;
  /** Seconds since 1970: the newest of the suites' dates. The one clock that images ever see. */
  readonly epochSeconds: number;
  readonly suites: readonly LockedSuite[];
  /** Sorted by name. */
  readonly packages: readonly LockedPackage[];
  /** Packages by purpose: a toolbox's members, or the packages that parts are taken from. Names, sorted. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

export const LOCK_FILE: URL = new URL("sources.lock.json", import.meta.url);

const LOCK_NAME = "builder/release/sources.lock.json";

/** The lock that this checkout ships. Throws LOCK_INVALID. */
export function readLock(file: URL = LOCK_FILE): Lock {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw wrong({ file: LOCK_NAME, field: "file", found: (cause as NodeJS.ErrnoException).code, expected: "a lock" });
  }
  return parseLock(text, LOCK_NAME);
}

/** Narrows the lock's text. Throws LOCK_INVALID with the field that is wrong. */
export function parseLock(text: string, file: string): Lock {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong({ file, field: "document", found: error instanceof Error ? error.message : "text", expected: "JSON" });
  }
  const problem = lockProblem(value);
  if (problem !== undefined) throw wrong({ file, ...problem });
  return value as Lock;
}

interface Problem {
  readonly field: string;
  readonly found: unknown;
  readonly expected: string;
}

/** The first thing that makes `value` no lock. */
function lockProblem(value: unknown): Problem | undefined {
  if (!isRecord(value)) return { field: "document", found: value, expected: "an object" };
  const { format, epochSeconds, suites, packages, groups } = value;
  if (format !== 1) return { field: "format", found: format, expected: "1" };
  if (!isCount(epochSeconds)) return { field: "epochSeconds", found: epochSeconds, expected: "seconds since 1970" };
  if (!Array.isArray(suites) || !suites.every(isSuite))
    return { field: "suites", found: suites, expected: "a list of {name, inRelease, dateSeconds}" };
  if (!Array.isArray(packages)) return { field: "packages", found: packages, expected: "a list of packages" };
  const names = new Set<string>();
  for (const entry of packages as unknown[]) {
    const expected = isRecord(entry) ? packageProblem(entry) : "an object";
    const name = isRecord(entry) ? String(entry["name"]) : "";
    if (expected !== undefined) return { field: `packages.${name}`, found: entry, expected };
    if (names.has(name)) return { field: `packages.${name}`, found: name, expected: "each package once" };
    names.add(name);
  }
  return groupsProblem(groups, names);
}

function packageProblem(entry: Readonly<Record<string, unknown>>): string | undefined {
  const { name, version, arch, suite, archive, path, size, sha256: digest } = entry;
  if (!isText(name, /^[a-z0-9][a-z0-9+.-]+$/)) return "a Debian package name";
  if (!isText(version, /^[0-9A-Za-z.+:~-]+$/)) return "a Debian version";
  if (arch !== "amd64" && arch !== "all") return "architecture amd64 or all";
  if (!isText(suite, /^[a-z-]+$/)) return "the name of a suite";
  if (archive !== "debian" && archive !== "debian-security") return "archive debian or debian-security";
  if (!isText(path, /^pool\/[A-Za-z0-9+.~_/-]+\.deb$/) || path.includes("..")) return "a path below pool/";
  if (typeof digest !== "string" || !isSha256(digest)) return "a SHA-256";
  if (!isCount(size) || size === 0) return "a size in bytes";
  return undefined;
}

function groupsProblem(groups: unknown, names: ReadonlySet<string>): Problem | undefined {
  if (!isRecord(groups)) return { field: "groups", found: groups, expected: "lists of packages by purpose" };
  for (const [group, members] of Object.entries(groups)) {
    if (!Array.isArray(members)) return { field: `groups.${group}`, found: members, expected: "a list of packages" };
    const unknown: unknown = members.find((m) => !names.has(m as string));
    if (unknown !== undefined)
      return { field: `groups.${group}`, found: unknown, expected: "the name of a locked package" };
  }
  return undefined;
}

function isSuite(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, inRelease, dateSeconds } = value;
  return isText(name, /^[a-z-]+$/) && typeof inRelease === "string" && isSha256(inRelease) && isCount(dateSeconds);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === "string" && pattern.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function wrong(problem: Problem & { readonly file: string }): FactoryError {
  return new FactoryError({ code: "LOCK_INVALID", ...problem, fix: "run `dodeka lock` to make it anew" });
}

/** The group's packages, sorted by name. Throws LOCK_INVALID when the lock has no such group. */
export function packagesOf(lock: Lock, group: string): readonly LockedPackage[] {
  const members = lock.groups[group];
  if (members === undefined) {
    const found = Object.keys(lock.groups).join(" ");
    throw wrong({ file: LOCK_NAME, field: "groups", found, expected: `a group "${group}"` });
  }
  const wanted = new Set(members);
  return lock.packages.filter((p) => wanted.has(p.name));
}

/** One package by name or by pattern; exactly one must match. */
export function findPackage(lock: Lock, group: string, pattern: RegExp): LockedPackage {
  const found = packagesOf(lock, group).filter((p) => pattern.test(p.name));
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  const names = found.map((p) => p.name).join(" ");
  const expected = `one package that matches ${pattern.source}`;
  throw wrong({ file: LOCK_NAME, field: `groups.${group}`, found: names, expected });
}

/** `deb:name@version`, as manifests and evidence name what a part was made of. */
export function packageOrigin({ name, version }: LockedPackage): string {
  return `deb:${name}@${version}`;
}

/** Names what a toolbox is: the digest of its packages' digests and of the way they are unpacked. */
export function groupDigest(lock: Lock, group: string, recipe: string): Sha256 {
  return sha256(canonicalJson({ recipe, packages: packagesOf(lock, group).map((p) => p.sha256) }));
}

/** The lock as it is committed: one package a line, so that a refresh reads as a list of version changes. */
export function renderLock(lock: Lock): string {
  const groups = Object.entries(lock.groups).map(
    ([name, members]) => `    ${JSON.stringify(name)}: ${JSON.stringify(members)}`,
  );
  return [
    "{",
    `  "format": 1,`,
    `  "epochSeconds": ${lock.epochSeconds},`,
    `  "suites": [\n${indented(lock.suites)}\n  ],`,
    `  "groups": {\n${groups.join(",\n")}\n  },`,
    `  "packages": [\n${indented(lock.packages)}\n  ]`,
    "}",
    "",
  ].join("\n");
}

function indented(items: readonly unknown[]): string {
  return items.map((i) => `    ${JSON.stringify(i)}`).join(",\n");
}
