// SPDX-License-Identifier: Apache-2.0
// Chooses kernel modules and writes the indices that depmod would: modules.dep and modules.alias.
// Format: modules.dep(5), depmod(8) of kmod. Left out: soft dependencies and symbol aliases, which need depmod's view
// of the whole tree; what boot needs of them is named in kernel-config/stock-modules.yaml.
import { FactoryError } from "../errors.ts";
import type { ModuleInfo } from "./modinfo.ts";

export interface KernelModule {
  /** Below /lib/modules/<release>/, uncompressed name: `kernel/drivers/ata/ahci.ko`. */
  readonly path: string;
  readonly info: ModuleInfo;
}

/** How to get a module of the kernel package by name; undefined when there is none. */
export type FindModule = (name: string) => Promise<KernelModule | undefined>;

/**
 * The named modules and all they depend on, sorted by path. A name that is built in is left out; a name that the kernel
 * has neither way is an error that names the list it stood in.
 */
export async function chooseModules(
  names: readonly string[],
  list: string,
  builtin: ReadonlySet<string>,
  find: FindModule,
): Promise<readonly KernelModule[]> {
  const chosen = new Map<string, KernelModule>();
  const queue = names.map((name) => ({ name: name.replaceAll("-", "_"), by: list }));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { name, by } = next;
    if (chosen.has(name) || builtin.has(name)) continue;
    const module = await find(name);
    if (module === undefined) throw absent(name, by);
    chosen.set(name, module);
    queue.push(...module.info.depends.map((dependency) => ({ name: dependency, by: name })));
  }
  return [...chosen.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** modules.dep: each module with all it needs, the one to load first standing last. */
export function renderModulesDep(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((m) => [m.info.name, m]));
  return modules.map((m) => `${[`${m.path}:`, ...loadOrder(m, byName).toReversed()].join(" ")}\n`).join("");
}

/** Paths of the dependencies in the order in which they must be loaded, without the module itself. */
function loadOrder(module: KernelModule, byName: ReadonlyMap<string, KernelModule>): string[] {
  const order: string[] = [];
  const seen = new Set([module.path]); // modules that depend on each other cannot be loaded, but must not hang us
  const visit = (current: KernelModule): void => {
    for (const name of [...current.info.depends].sort()) {
      const dependency = byName.get(name);
      if (dependency === undefined || seen.has(dependency.path)) continue;
      seen.add(dependency.path);
      visit(dependency);
      order.push(dependency.path);
    }
  };
  visit(module);
  return order;
}

/** modules.alias: `alias <pattern> <module>`, sorted. */
export function renderModulesAlias(modules: readonly KernelModule[]): string {
  const lines = modules.flatMap((m) => m.info.aliases.map((alias) => `alias ${alias} ${m.info.name}\n`));
  return [...new Set(lines)].sort().join("");
}

function absent(name: string, by: string): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    file: "kernel-config/stock-modules.yaml",
    field: by,
    found: name,
    expected: "a module of the locked kernel",
    fix: "remove the name, or correct it",
  });
}
