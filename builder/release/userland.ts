// SPDX-License-Identifier: Apache-2.0
// Builds the programs of the userland, a step for each Go module: static, stripped, without paths or build ids, the same
// wherever they are built.
import { mkdir } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { GoNetwork } from "../host/go-network.ts";
import { sideBySide } from "../host/side-by-side.ts";
import type { Store } from "../host/store.ts";
import type { BlobRef } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { ActionContext, CommandAction } from "./action.ts";
import { runAction } from "./action.ts";
import type { GoModuleSources } from "./go-modules.ts";
import { USERLAND_DIR, fetchGoModules, readModuleSources, requiredVersion } from "./go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "./go-toolchain.ts";
import type { Lock } from "./lock.ts";
import { packagesOf } from "./lock.ts";
import { multicallSources } from "./multicall.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree } from "./tree.ts";
import { fileOf, underPrefix } from "./tree.ts";
import type { UserlandModule } from "./userland-table.ts";
import { USERLAND_MODULES, programName } from "./userland-table.ts";

const SOURCE_FOLDER = "source";
/** What a link of the kubelet and a compile beside it need, and the rest of the machine. */
const BYTES_FOR_TWO = 6 * 1024 ** 3;

export interface UserlandInputs {
  readonly toolbox: Toolbox;
  readonly network: GoNetwork;
  readonly lock: Lock;
}

export interface Userland {
  /** Programs by name. */
  readonly programs: Readonly<Record<string, BlobRef>>;
  /** The module caches that they were compiled from. */
  readonly moduleCaches: readonly string[];
}

/** Every program of the table. Modules are fetched and compiled two at a time where memory allows. */
export async function buildUserland(context: ActionContext, inputs: UserlandInputs): Promise<Userland> {
  const { toolbox, network, lock } = inputs;
  const goCache = await openGoCache(context.store, lock);
  const programs: Record<string, BlobRef> = {};
  const moduleCaches = new Set<string>();
  const build = async (module: UserlandModule): Promise<void> => {
    const sources = await readModuleSources(context.store, join(USERLAND_DIR, module.folder));
    const cache = await fetchGoModules(context, toolbox, sources, network);
    const action = await userlandAction(context.store, toolbox, { module, sources, cache, goCache });
    const outputs = await runAction(context, action);
    moduleCaches.add(cache);
    for (const name of module.packages.map(programName)) programs[name] = fileOf(outputs, `out/${name}`);
  };
  await sideBySide(USERLAND_MODULES, totalmem() < BYTES_FOR_TWO ? 1 : 2, build, context.signal);
  return { programs, moduleCaches: [...moduleCaches].sort() };
}

/** Throws BUG when the table has no such program. */
export function programOf({ programs }: Userland, name: string): BlobRef {
  const found = programs[name];
  if (found !== undefined) return found;
  const expected = "a program of the userland's table";
  throw new FactoryError({ code: "BUG", field: name, expected, fix: "correct builder/release/userland-table.ts" });
}

/** What Go's build cache depends on and does not look at: the C compiler and what it reads. */
const COMPILERS = /^(golang-|gcc|cpp|binutils|libgcc-|libc6|libseccomp|linux-libc-dev|pkgconf)/;

/**
 * Go's build cache, one for each state of the compilers: another tool in the toolbox makes every step run again, but
 * nothing that they compile changes.
 */
export async function openGoCache(store: Store, lock: Lock): Promise<string> {
  const compilers = packagesOf(lock, "compile").filter(({ name }) => COMPILERS.test(name));
  const dir = join(store.dir, "cache", `gobuild-${sha256(compilers.map((p) => p.sha256).join()).slice(0, 32)}`);
  await mkdir(dir, { recursive: true });
  return dir;
}

interface ModuleInputs {
  readonly module: UserlandModule;
  readonly sources: GoModuleSources;
  /** The module cache. */
  readonly cache: string;
  /** The build cache. */
  readonly goCache: string;
}

/** The step that compiles a module's programs; outputs `out/<name>`. */
export async function userlandAction(store: Store, toolbox: Toolbox, inputs: ModuleInputs): Promise<CommandAction> {
  const { module, cache, goCache } = inputs;
  const { tags, ldflags, cgo } = goFlags(inputs);
  return {
    kind: "command",
    name: module.kind === "own" ? "userland" : module.folder,
    inputs: underPrefix(SOURCE_FOLDER, await sourcesOf(store, inputs)),
    argv: [
      GO_PROGRAM,
      "build",
      "-C",
      SOURCE_FOLDER,
      "-v",
      `-tags=${tags.join(",")}`,
      `-ldflags=${ldflags.join(" ")}`,
      "-o",
      "../out/",
      ...module.packages,
    ],
    env: { ...GO_ENV, GOPROXY: "off", ...(cgo ? { CGO_ENABLED: "1", CC: "gcc" } : {}) },
    toolbox,
    outputs: module.packages.map((path) => `out/${programName(path)}`),
    caches: [
      { host: cache, inside: GO_MODULE_CACHE, writable: false },
      { host: goCache, inside: GO_BUILD_CACHE, writable: true },
    ],
    countDone: countPackages,
  };
}

function sourcesOf(store: Store, { module, sources, cache }: ModuleInputs): Promise<Tree> | Tree {
  if (module.kind !== "multicall") return sources.tree;
  return multicallSources(store, module, sources, cache);
}

interface GoFlags {
  readonly tags: readonly string[];
  readonly ldflags: readonly string[];
  readonly cgo: boolean;
}

/** -s -w: no symbols and no DWARF; an empty build id, since the usual one is a digest of what the cache holds. */
function goFlags({ module, sources }: ModuleInputs): GoFlags {
  const ldflags = ["-s", "-w", "-buildid="];
  if (module.kind === "own") return { tags: [], ldflags, cgo: false };
  const variables = module.variables(requiredVersion(sources.goMod, module.upstream));
  const settings = Object.entries(variables).map(([name, value]) => `-X=${name}=${value}`);
  const cgo = module.kind === "upstream" && module.linked.length > 0;
  const linking = cgo ? ["-linkmode=external", "-extldflags=-static"] : [];
  return { tags: module.kind === "upstream" ? module.tags : [], ldflags: [...ldflags, ...settings, ...linking], cgo };
}

/** With -v go build prints a line for each package that it compiles. */
export function countPackages(output: string): number {
  return output.split("\n").length - 1;
}
