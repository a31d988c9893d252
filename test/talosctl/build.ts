// SPDX-License-Identifier: Apache-2.0
// The stock talosctl, the machine API as an ordinary process of this host, and a judge of Go code, compiled in the toolbox
// as actions of the store: the first test that needs one compiles it, every other run takes the result.
import { chmod, copyFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, temporaryPath } from "../../builder/host/store.ts";
import type { BlobRef } from "../../builder/layout/digest.ts";
import type { CommandAction } from "../../builder/release/action.ts";
import { runAction } from "../../builder/release/action.ts";
import { USERLAND_DIR } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import { readLock } from "../../builder/release/lock.ts";
import { fileOf, underPrefix } from "../../builder/release/tree.ts";
import { openGoCache } from "../../builder/release/userland.ts";
import { ROOT } from "../structure/tracked-files.ts";
import type { GoBox } from "../userland/go-box.ts";
import { openGo } from "../userland/go-box.ts";

/** Path of the stock client, built from its published module. */
export function buildTalosctl(): Promise<string> {
  return buildProgram({ name: "talosctl", dir: join(ROOT, "test/talosctl"), packagePath: "." });
}

/** Path of the program that serves the machine API on a loopback address of this host. */
export function buildHostrun(): Promise<string> {
  return buildProgram({ name: "hostrun", dir: USERLAND_DIR, packagePath: "./internal/hostrun/cmd/hostrun" });
}

/** Path of the program that has a machine install itself. */
export function buildInstallCall(): Promise<string> {
  return buildProgram({ name: "installcall", dir: USERLAND_DIR, packagePath: "./internal/hostrun/cmd/installcall" });
}

/** Path of staticcheck, built from its published module. */
export function buildStaticcheck(): Promise<string> {
  const packagePath = "honnef.co/go/tools/cmd/staticcheck";
  return buildProgram({ name: "staticcheck", dir: join(ROOT, "test/userland/staticcheck"), packagePath });
}

interface Program {
  readonly name: string;
  /** Folder of the Go module. */
  readonly dir: string;
  readonly packagePath: string;
}

/** Compiles one program of a module; path of the result. */
export async function buildProgram(program: Program): Promise<string> {
  const box = await openGo(program.dir);
  const { context } = box;
  const outputs = await runAction(context, await compileAction(box, program));
  return executable(context.store, program.name, fileOf(outputs, `out/${program.name}`));
}

async function compileAction({ context, toolbox, sources, modules }: GoBox, program: Program): Promise<CommandAction> {
  const goCache = await openGoCache(context.store, readLock()); // most of what they need is in our programs too
  const out = `out/${program.name}`;
  return {
    kind: "command",
    name: `test program ${program.name}`,
    inputs: underPrefix("source", sources.tree),
    argv: [GO_PROGRAM, "build", "-C", "source", "-ldflags=-s -w -buildid=", "-o", `../${out}`, program.packagePath],
    env: { ...GO_ENV, GOPROXY: "off" },
    toolbox,
    outputs: [out],
    caches: [
      { host: modules, inside: GO_MODULE_CACHE, writable: false },
      { host: goCache, inside: GO_BUILD_CACHE, writable: true },
    ],
  };
}

/** Blobs of the store cannot be executed; a copy beside them can. */
async function executable(store: Store, name: string, blob: BlobRef): Promise<string> {
  const path = join(store.dir, "cache", `${name}-${blob.digest.slice(0, 32)}`);
  const present = await stat(path).then(
    () => true,
    () => false,
  );
  if (present) return path;
  const partial = await temporaryPath(store);
  await copyFile(blobPath(store, blob.digest), partial);
  await chmod(partial, 0o755);
  await rename(partial, path);
  return path;
}
