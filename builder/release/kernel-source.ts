// SPDX-License-Identifier: Apache-2.0
// Unpacks the locked kernel source package. The tree is 1.7 GB in 87,000 files, so it is not an action's output but a
// folder of its own in the store's cache, named by the package's digest and never written to again.
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FactoryError } from "../errors.ts";
import { runInSandbox } from "../host/sandbox.ts";
import type { Store } from "../host/store.ts";
import { blobPath } from "../host/store.ts";
import type { ActionContext } from "./action.ts";
import { cacheFolder } from "./cache-folder.ts";
import { debEntries } from "./deb.ts";
import type { LockedPackage } from "./lock.ts";
import type { Toolbox } from "./toolbox.ts";

/** Folders of the cache that belong to kernel builds start so. */
export const KERNEL_CACHE_PREFIXES: readonly string[] = ["linux-source-", "linux-build-"];

/** The unpacked tree's directory. Throws FORMAT_INVALID, ACTION_FAILED. */
export async function unpackKernelSource(
  context: ActionContext,
  toolbox: Toolbox,
  source: LockedPackage,
): Promise<string> {
  const make = async (dir: string): Promise<string> => {
    await mkdir(join(dir, "tree"));
    await takeArchive(context.store, source, join(dir, "source.tar.xz"));
    const argv = ["tar", "-xJf", "source.tar.xz", "-C", "tree", "--strip-components=1", "--no-same-owner"];
    const binds = [{ host: dir, inside: "/build", writable: true }];
    const result = await runInSandbox(toolbox.root, { argv, binds, cwd: "/build" }, { signal: context.signal });
    if (result.exitCode !== 0) throw notUnpacked(source, result.stderr);
    return join(dir, "tree");
  };
  return cacheFolder(context, { name: `linux-source-${source.sha256.slice(0, 32)}`, shown: "kernel source", make });
}

async function takeArchive(store: Store, source: LockedPackage, target: string): Promise<void> {
  for await (const { path, type, content } of debEntries(blobPath(store, source.sha256))) {
    if (type !== "file" || !/^usr\/src\/linux-source-[\d.]+\.tar\.xz$/.test(path)) continue;
    await pipeline(content, createWriteStream(target, { flags: "wx" }));
    return;
  }
  throw new FactoryError({
    code: "FORMAT_INVALID",
    file: `${source.name} ${source.version}`,
    found: "no such file",
    expected: "usr/src/linux-source-<series>.tar.xz",
    fix: "refresh the lock, then correct builder/release/kernel-source.ts",
  });
}

function notUnpacked(source: LockedPackage, output: string): FactoryError {
  return new FactoryError({
    code: "ACTION_FAILED",
    field: "kernel source",
    found: `tar could not unpack ${source.name} ${source.version}`,
    expected: "a complete source tree",
    fix: "check the space of the store's disk and of /tmp, then run the command again",
    output: output.trim().split("\n").slice(-10).join("\n"),
  });
}
