// SPDX-License-Identifier: Apache-2.0
// Packs the modules of a kernel that we compiled into extensions, one a group of kernel-config/module-groups.yaml, in the
// layout of Talos system extensions: manifest.yaml beside rootfs/.
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { parse, stringify } from "yaml";
import { FactoryError } from "../errors.ts";
import type { Store } from "../host/store.ts";
import { putBytes, readBlob } from "../host/store.ts";
import type { BlobRef } from "../layout/digest.ts";
import type { CommandAction } from "./action.ts";
import type { KernelModule } from "./kernel-modules.ts";
import { chooseModules, renderModulesAlias, renderModulesDep } from "./kernel-modules.ts";
import { readModinfo } from "./modinfo.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree, TreeNode } from "./tree.ts";

const MAX_MODULE_BYTES = 64 * 1024 * 1024;
const FILE = "kernel-config/module-groups.yaml";

export interface ModuleGroup {
  readonly name: string;
  readonly description: string;
  /** Below `kernel/`: folders end in "/", files in ".ko". */
  readonly paths: readonly string[];
}

/** Narrows kernel-config/module-groups.yaml. Throws RELEASE_INVALID. */
export function parseModuleGroups(text: string): readonly ModuleGroup[] {
  const value: unknown = parse(text);
  const entries = Object.entries((value ?? {}) as Record<string, { description?: unknown; paths?: unknown } | null>);
  return entries.map(([name, group]) => {
    const { description, paths } = group ?? {};
    const isPath = (path: unknown): path is string => typeof path === "string" && /^[\w/.-]+(\/|\.ko)$/.test(path);
    if (!/^[a-z][a-z0-9-]*$/.test(name)) throw invalid(name, name, "a name of small letters, digits and dashes");
    if (typeof description !== "string") throw invalid(name, description, "a description");
    if (!Array.isArray(paths) || !paths.every(isPath)) throw invalid(name, paths, 'folders ending in "/" or .ko files');
    return { name, description, paths };
  });
}

/** A module with its bytes in the store. */
export interface CompiledModule extends KernelModule {
  readonly blob: BlobRef;
}

/** Reads modules.tar: every module, by path. */
export async function readModulesTar(store: Store, tar: BlobRef): Promise<readonly CompiledModule[]> {
  const modules: CompiledModule[] = [];
  const stream = extract();
  Readable.from(readBlob(store, tar.digest, 0, tar.size)).pipe(stream);
  for await (const entry of stream) {
    const { name: path, size, type } = entry.header;
    if (type !== "file" || !path.endsWith(".ko")) {
      entry.resume();
      continue;
    }
    if (size > MAX_MODULE_BYTES) throw invalid(path, size, `at most ${MAX_MODULE_BYTES} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk as Uint8Array);
    const bytes = Buffer.concat(chunks);
    modules.push({ path, info: readModinfo(path, bytes), blob: await putBytes(store, bytes) });
  }
  return modules.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * The modules of each group with all that they depend on. Throws RELEASE_INVALID for a module that stands in two groups,
 * or in none without serving one that does, and for a group that is empty.
 */
export async function groupModules(
  groups: readonly ModuleGroup[],
  modules: readonly CompiledModule[],
  builtin: ReadonlySet<string>,
): Promise<ReadonlyMap<ModuleGroup, readonly CompiledModule[]>> {
  const byName = new Map(modules.map((m) => [m.info.name, m]));
  const byPath = new Map(modules.map((m) => [m.path, m]));
  const grouped = new Map<ModuleGroup, readonly CompiledModule[]>();
  for (const group of groups) {
    const own = modules.filter((m) => groupsOf(m, groups).includes(group));
    if (own.length === 0) throw invalid(group.name, "no module", "at least one module of this kernel");
    const names = own.map((m) => m.info.name);
    const chosen = await chooseModules(names, group.name, builtin, async (name) => byName.get(name));
    grouped.set(
      group,
      chosen.flatMap((m) => byPath.get(m.path) ?? []),
    );
  }
  const placed = new Set([...grouped.values()].flat());
  for (const module of modules) {
    const of = groupsOf(module, groups);
    if (of.length > 1) throw invalid(module.path, of.map((g) => g.name).join(" "), "one group");
    if (!placed.has(module)) throw invalid(module.path, "no group", "a group, or a fragment that does not ask for it");
  }
  return grouped;
}

function groupsOf(module: KernelModule, groups: readonly ModuleGroup[]): readonly ModuleGroup[] {
  const path = module.path.replace(/^kernel\//, "");
  return groups.filter((g) => g.paths.some((p) => (p.endsWith("/") ? path.startsWith(p) : path === p)));
}

/** One extension as a tree: `manifest.yaml`, and `rootfs/lib/modules/<release>/` with its own indices. */
export async function extensionTree(
  store: Store,
  release: string,
  group: ModuleGroup,
  modules: readonly CompiledModule[],
): Promise<Tree> {
  const base = `rootfs/lib/modules/${release}`;
  const text = async (content: string): Promise<TreeNode> => ({
    kind: "file",
    blob: await putBytes(store, content),
    mode: 0o644,
  });
  const manifest = {
    version: "v1alpha1",
    metadata: {
      name: `kernel-${group.name}`,
      version: release,
      author: "Dodeka",
      description: `${group.description}\n`,
      compatibility: { talos: { version: ">= v1.0.0" } },
    },
  };
  const files = modules.map((m) => [`${base}/${m.path}`, { kind: "file", blob: m.blob, mode: 0o644 }] as const);
  return {
    "manifest.yaml": await text(stringify(manifest)),
    ...Object.fromEntries(files),
    [`${base}/modules.dep`]: await text(renderModulesDep(modules)),
    [`${base}/modules.alias`]: await text(renderModulesAlias(modules)),
  };
}

/** Outputs: `<group>.tar` for each extension. */
export function packExtensions(toolbox: Toolbox, extensions: ReadonlyMap<string, Tree>): CommandAction {
  const names = [...extensions.keys()].sort();
  const inputs = [...extensions].flatMap(([name, tree]) =>
    Object.entries(tree).map(([path, node]) => [`${name}/${path}`, node] as const),
  );
  const fixed = "--format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner";
  return {
    kind: "command",
    name: "kernel extensions",
    inputs: Object.fromEntries(inputs),
    argv: [
      "bash",
      "-euc",
      names.map((name) => `tar -C ${name} ${fixed} -cf ${name}.tar manifest.yaml rootfs`).join("\n"),
    ],
    env: {},
    toolbox,
    outputs: names.map((name) => `${name}.tar`),
    caches: [],
  };
}

function invalid(field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "RELEASE_INVALID", file: FILE, field, found, expected, fix: "correct the file" });
}
