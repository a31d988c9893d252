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

/** The lock that this checkout ships. Throws LOCK_INVALID. */
export function readLock(file: URL = LOCK_FILE): Lock {
  return parseLock(readFileSync(file, "utf8"), "builder/release/sources.lock.json");
}

/** Narrows the lock's text. Throws LOCK_INVALID with the field that is wrong. */
export function parseLock(text: string, file: string): Lock {
  const refuse = (field: string, found: unknown, expected: string): never => {
    throw new FactoryError({
      code: "LOCK_INVALID",
      file,
      field,
      found,
      expected,
      fix: "run `dodeka lock` to make it anew",
    });
  };
  let lock: Lock;
  try {
    lock = JSON.parse(text) as Lock;
  } catch (error) {
    return refuse("document", error instanceof Error ? error.message : "text", "JSON");
  }
  if (lock.format !== 1) return refuse("format", lock.format, "1");
  if (!Number.isSafeInteger(lock.epochSeconds)) return refuse("epochSeconds", lock.epochSeconds, "seconds since 1970");
  const names = new Set<string>();
  for (const entry of lock.packages) {
    const problem = packageProblem(entry);
    if (problem !== undefined) return refuse(`packages.${entry.name}`, entry, problem);
    names.add(entry.name);
  }
  for (const [group, members] of Object.entries(lock.groups)) {
    const unknown = members.find((m) => !names.has(m));
    if (unknown !== undefined) return refuse(`groups.${group}`, unknown, "the name of a locked package");
  }
  return lock;
}

function packageProblem(entry: LockedPackage): string | undefined {
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(entry.name)) return "a Debian package name";
  if (!/^pool\/[A-Za-z0-9+.~_/-]+\.deb$/.test(entry.path) || entry.path.includes("..")) return "a path below pool/";
  if (!isSha256(entry.sha256)) return "a SHA-256";
  if (!Number.isSafeInteger(entry.size) || entry.size <= 0) return "a size in bytes";
  if (entry.archive !== "debian" && entry.archive !== "debian-security") return "archive debian or debian-security";
  return undefined;
}

/** The group's packages, sorted by name. Throws LOCK_INVALID when the lock has no such group. */
export function packagesOf(lock: Lock, group: string): readonly LockedPackage[] {
  const members = lock.groups[group];
  if (members === undefined) {
    throw new FactoryError({
      code: "LOCK_INVALID",
      file: "builder/release/sources.lock.json",
      field: "groups",
      found: Object.keys(lock.groups).join(" "),
      expected: `a group "${group}"`,
      fix: "run `dodeka lock`",
    });
  }
  const wanted = new Set(members);
  return lock.packages.filter((p) => wanted.has(p.name));
}

/** One package by name or by pattern; exactly one must match. */
export function findPackage(lock: Lock, group: string, pattern: RegExp): LockedPackage {
  const found = packagesOf(lock, group).filter((p) => pattern.test(p.name));
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  throw new FactoryError({
    code: "LOCK_INVALID",
    file: "builder/release/sources.lock.json",
    field: `groups.${group}`,
    found: found.map((p) => p.name).join(" "),
    expected: `one package that matches ${pattern.source}`,
    fix: "run `dodeka lock`",
  });
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
