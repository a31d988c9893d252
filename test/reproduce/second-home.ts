// SPDX-License-Identifier: Apache-2.0
// A second place to build in: another directory of another length, on another file system where there is a tmpfs, with
// files created in another order, a store that holds downloads and nothing else, and another owner.
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { adoptBlob } from "../../builder/host/adopt-blob.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import { lendResults } from "../../builder/release/lend-results.ts";
import { USERLAND_MODULES } from "../../builder/release/userland-table.ts";
import { ROOT, trackedFiles } from "../structure/tracked-files.ts";

export interface SecondHome {
  readonly base: string;
  readonly checkout: string;
  readonly storeDir: string;
  readonly home: string;
  /** Undefined where this process may not become another user. */
  readonly user: number | undefined;
}

const TMPFS = "/dev/shm"; // lists a folder's files newest first, where ext4 goes by a hash of their names
const NEEDED_BYTES = 4 * 1024 ** 3;
const OTHER_USER = 12_345;

/** Steps that compile upstream's programs. They take most of a build's time and change only with their versions. */
export const UPSTREAM_STEPS: readonly string[] = USERLAND_MODULES.flatMap((m) => (m.kind === "own" ? [] : [m.folder]));

/** The results of the steps `lent` are taken over from the first place; everything else is made there. */
export async function makeSecondHome(lent: readonly string[]): Promise<SecondHome> {
  const base = mkdtempSync(join(roomyFolder(), "a-rather-longer-name-than-the-first-"));
  const user = process.getuid?.() === 0 ? OTHER_USER : undefined;
  const home = {
    base,
    user,
    checkout: join(base, "checkout"),
    storeDir: join(base, "store"),
    home: join(base, "home"),
  };
  try {
    await furnish(home, lent);
    return home;
  } catch (error) {
    await removeTree(base);
    throw error;
  }
}

async function furnish({ base, checkout, storeDir, home, user }: SecondHome, lent: readonly string[]): Promise<void> {
  for (const dir of [checkout, storeDir, home]) mkdirSync(dir);
  for (const path of shuffled(trackedFiles())) {
    mkdirSync(join(checkout, dirname(path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(checkout, path));
  }
  copyRuntimePackages(checkout);
  await copyDownloads(storeDir);
  await lendResults(await openStore(readSettings().storeDir), await openStore(storeDir), lent);
  unlinkFromFirst(join(storeDir, "blobs"));
  chmodSync(base, 0o755);
  if (user !== undefined) giveTo(base, user);
}

function roomyFolder(): string {
  try {
    const { bavail, bsize } = statfsSync(TMPFS);
    return bavail * bsize > NEEDED_BYTES ? TMPFS : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** The same order in every run, and one that has nothing to do with the names. */
function shuffled(paths: readonly string[]): readonly string[] {
  const key = (path: string): string => createHash("sha256").update(path).digest("hex");
  return [...paths].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** What package-lock.json marks as needed at run time, the pinned Node among it. */
function copyRuntimePackages(checkout: string): void {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  for (const [path, { dev = false }] of Object.entries(lock.packages)) {
    if (path === "" || dev || !existsSync(join(ROOT, path))) continue; // others are for other platforms
    cpSync(join(ROOT, path), join(checkout, path), { recursive: true, errorOnExist: false, force: true });
  }
}

/** Packages, which the build verifies again, and Go's module cache. Nothing that a build made. */
async function copyDownloads(storeDir: string): Promise<void> {
  const from = await openStore(readSettings().storeDir);
  const to = await openStore(storeDir);
  const lock = readLock();
  for (const { sha256 } of ["compile", "parts"].flatMap((g) => packagesOf(lock, g))) await adoptBlob(to, from, sha256);
  for (const name of readdirSync(join(from.dir, "cache")).filter((n) => n.startsWith("gomod-"))) {
    cpSync(join(from.dir, "cache", name), join(to.dir, "cache", name), { recursive: true });
  }
}

/** What was taken over as a hard link becomes a file of its own: it is about to get another owner. */
function unlinkFromFirst(dir: string): void {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || statSync(path).nlink === 1) continue;
    copyFileSync(path, `${path}.own`);
    renameSync(`${path}.own`, path);
  }
}

function giveTo(path: string, user: number): void {
  lchownSync(path, user, user);
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    lchownSync(join(entry.parentPath, entry.name), user, user);
  }
}
