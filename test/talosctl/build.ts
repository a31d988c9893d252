// SPDX-License-Identifier: Apache-2.0
// The stock talosctl, the machine API as an ordinary process of this host, and a judge of Go code, compiled in the toolbox
// as actions of the store: the first test that needs one compiles it, every other run takes the result.
import { chmod, copyFile, mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { existingFiles } from "../../builder/host/existing-files.ts";
import { readSettings } from "../../builder/host/settings.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, openStore, temporaryPath } from "../../builder/host/store.ts";
import type { BlobRef } from "../../builder/layout/digest.ts";
import type { CommandAction } from "../../builder/release/action.ts";
import { runAction } from "../../builder/release/action.ts";
import type { GoModuleSources } from "../../builder/release/go-modules.ts";
import { USERLAND_DIR, fetchGoModules, readModuleSources } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import type { Toolbox } from "../../builder/release/toolbox.ts";
import { fileOf, underPrefix } from "../../builder/release/tree.ts";
import { openBox } from "../foreign/judge.ts";
import { ROOT } from "../structure/tracked-files.ts";

const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

/** Path of the stock client, built from its published module. */
export function buildTalosctl(): Promise<string> {
  return buildProgram({ name: "talosctl", dir: join(ROOT, "test/talosctl"), packagePath: "." });
}

/** Path of the program that serves the machine API on a loopback address of this host. */
export function buildHostrun(): Promise<string> {
  return buildProgram({ name: "hostrun", dir: USERLAND_DIR, packagePath: "./internal/hostrun/cmd/hostrun" });
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

async function buildProgram(program: Program): Promise<string> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const toolbox = await openBox("compile");
  const context = { store, signal: undefined, onAction: () => () => undefined };
  const sources = await readModuleSources(store, program.dir);
  const network = { env: settings.goNetwork, files: await existingFiles(NETWORK_FILES) };
  const modules = await fetchGoModules(context, toolbox, sources, network);
  const outputs = await runAction(context, await compileAction(store, toolbox, { program, sources, modules }));
  return executable(store, program.name, fileOf(outputs, `out/${program.name}`));
}

interface CompileInputs {
  readonly program: Program;
  readonly sources: GoModuleSources;
  /** The module cache. */
  readonly modules: string;
}

async function compileAction(store: Store, toolbox: Toolbox, inputs: CompileInputs): Promise<CommandAction> {
  const { program, sources, modules } = inputs;
  const goCache = join(store.dir, "cache", `gobuild-${toolbox.digest.slice(0, 16)}`);
  await mkdir(goCache, { recursive: true });
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
