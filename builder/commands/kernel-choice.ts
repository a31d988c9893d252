// SPDX-License-Identifier: Apache-2.0
// What a release's kernel is made from: fetches the packages and reads kernel-config/.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Store } from "../host/store.ts";
import { parseModuleLists } from "../release/debian-kernel.ts";
import type { KernelInputs } from "../release/kernel-build.ts";
import { readFragmentFiles } from "../release/kernel-build.ts";
import { parseRequirements } from "../release/kernel-check.ts";
import type { Lock } from "../release/lock.ts";
import { findPackage } from "../release/lock.ts";
import type { KernelFlavour } from "../release/manifest.ts";
import { parseModuleGroups } from "../release/module-groups.ts";
import type { KernelChoice } from "../release/release-kernel.ts";
import { fetchGroups, prepareToolbox } from "./compile-steps.ts";
import type { CommandContext } from "./context.ts";

export interface KernelBuildOptions {
  readonly flavour: KernelFlavour;
  /** Compiles the extensions' modules too. */
  readonly modules: boolean;
}

/** Fetches and reads what a release's kernel is made from. */
export async function prepareKernel(
  context: CommandContext,
  store: Store,
  lock: Lock,
  options: KernelBuildOptions,
): Promise<KernelChoice> {
  switch (options.flavour) {
    case "stock":
      return { flavour: "stock", moduleLists: parseModuleLists(await readConfigFile("stock-modules.yaml")) };
    case "source": {
      const groups = options.modules ? parseModuleGroups(await readConfigFile("module-groups.yaml")) : [];
      const requirements = parseRequirements(await readConfigFile("requirements.yaml"));
      return { flavour: "source", inputs: await kernelInputs(context, store, lock), groups, requirements };
    }
    default:
      return options.flavour satisfies never;
  }
}

/** The compiler, the locked source and this checkout's fragments. */
export async function kernelInputs(context: CommandContext, store: Store, lock: Lock): Promise<KernelInputs> {
  const fragments = await readFragmentFiles("x86");
  await fetchGroups(context, store, lock, ["kernel", "kernel-source"]);
  const toolbox = await prepareToolbox(context, store, lock, "kernel");
  return { toolbox, source: findPackage(lock, "kernel-source", /^linux-source-/), arch: "x86", fragments };
}

/** A file of kernel-config/. */
export function readConfigFile(name: string): Promise<string> {
  return readFile(fileURLToPath(new URL(`../../kernel-config/${name}`, import.meta.url)), "utf8");
}
