// SPDX-License-Identifier: Apache-2.0
// A toolbox is a private root made of locked packages. Installation scripts never run; the few things they would have
// made (accounts, mount points) are written here. The root is named by the digest of its packages and of RECIPE.
import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Sha256 } from "../layout/digest.ts";
import type { Store } from "../host/store.ts";
import { blobPath, temporaryPath } from "../host/store.ts";
import { sideBySide } from "../host/side-by-side.ts";
import { describeWriteError } from "../host/write-error.ts";
import { unpackDeb, unpackRoot } from "./unpack-deb.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { groupDigest, packagesOf } from "./lock.ts";

/** Changes whenever the code below would lay out a root differently. */
const RECIPE = "toolbox 2";
const PARALLEL = 4;

const MOUNT_POINTS = ["proc", "dev", "sys", "tmp", "run", "build", "root", "var/tmp"];
const ETC_FILES: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\n",
  "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
  "etc/hostname": "toolbox\n",
  // Mount points for the host's files of the same name, in the one step that may use the network.
  "etc/nsswitch.conf": "",
  "etc/resolv.conf": "",
  "etc/ssl/certs/ca-certificates.crt": "",
};

export interface Toolbox {
  /** Absolute path of the root. */
  readonly root: string;
  readonly digest: Sha256;
}

export interface ToolboxWatch {
  /** Called with the number of packages unpacked so far and of all. */
  readonly onUnpack?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * The toolbox of a group; unpacks it when it is not there yet. Its packages must be in the store. Several processes may
 * do so at once: each unpacks into its own folder, and the first rename wins.
 */
export async function openToolbox(store: Store, lock: Lock, group: string, watch: ToolboxWatch = {}): Promise<Toolbox> {
  const digest = groupDigest(lock, group, RECIPE);
  const root = join(store.dir, "boxes", digest);
  if (await isDirectory(root)) return { root, digest };
  const partial = await temporaryPath(store);
  try {
    await mkdir(partial);
    await unpackAll(store, packagesOf(lock, group), partial, watch);
    await furnish(partial);
    await rename(partial, root);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (await isDirectory(root)) return { root, digest };
    throw describeWriteError(error, partial);
  }
  return { root, digest };
}

export function toolboxDir(store: Store, lock: Lock, group: string): string {
  return join(store.dir, "boxes", groupDigest(lock, group, RECIPE));
}

/** Whether `openToolbox` would find it unpacked. */
export function toolboxReady(store: Store, lock: Lock, group: string): Promise<boolean> {
  return isDirectory(toolboxDir(store, lock, group));
}

async function unpackAll(
  store: Store,
  packages: readonly LockedPackage[],
  root: string,
  watch: ToolboxWatch,
): Promise<void> {
  // base-files carries the merged-/usr links (/bin -> usr/bin), so it goes first; all others may go side by side.
  const queue = packages.toSorted(
    (a, b) => Number(b.name === "base-files") - Number(a.name === "base-files") || b.size - a.size,
  );
  const into = unpackRoot(root);
  let done = 0;
  const unpackOne = async (entry: LockedPackage): Promise<void> => {
    await unpackDeb(blobPath(store, entry.sha256), into);
    watch.onUnpack?.(++done, packages.length);
  };
  await sideBySide(queue.slice(0, 1), 1, unpackOne, watch.signal);
  await sideBySide(queue.slice(1), PARALLEL, unpackOne, watch.signal);
}

async function furnish(root: string): Promise<void> {
  for (const dir of MOUNT_POINTS) await mkdir(join(root, dir), { recursive: true });
  for (const [path, text] of Object.entries(ETC_FILES)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  // The alternatives system would make this link; gawk is the one awk in the box.
  if ((await readdir(join(root, "usr/bin"))).includes("gawk"))
    await symlink("gawk", join(root, "usr/bin/awk")).catch(ignoreExisting);
  await symlink("bash", join(root, "usr/bin/sh")).catch(ignoreExisting);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
