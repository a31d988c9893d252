// SPDX-License-Identifier: Apache-2.0
// The toolbox's own Go with the modules of one folder, working offline. They come over the network on first use; go.sum
// pins every byte of them.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { findGoNetwork } from "../../builder/host/go-network.ts";
import type { SandboxCommand, SandboxResult } from "../../builder/host/sandbox.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import type { ActionContext } from "../../builder/release/action.ts";
import type { GoModuleSources } from "../../builder/release/go-modules.ts";
import { fetchGoModules, readModuleSources } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import type { Toolbox } from "../../builder/release/toolbox.ts";
import { openBox } from "../foreign/judge.ts";

export interface GoBox {
  readonly context: ActionContext;
  readonly toolbox: Toolbox;
  readonly sources: GoModuleSources;
  /** The module cache. */
  readonly modules: string;
}

/** `dir` is the module's folder. */
export async function openGo(dir: string): Promise<GoBox> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const toolbox = await openBox("compile");
  const context: ActionContext = { store, signal: undefined, onAction: () => () => undefined };
  const sources = await readModuleSources(store, dir);
  const modules = await fetchGoModules(context, toolbox, sources, await findGoNetwork(settings));
  return { context, toolbox, sources, modules };
}

/** Runs go in the module's folder, with a build cache that all tests share. */
export function runGo(
  box: GoBox,
  args: readonly string[],
  binds: SandboxCommand["binds"] = [],
): Promise<SandboxResult> {
  return runInGoBox(box, { argv: [GO_PROGRAM, ...args], env: { ...GO_ENV, GOPROXY: "off" }, binds });
}

/** Runs any command there. */
export async function runInGoBox(
  { context, toolbox, sources, modules }: GoBox,
  command: Omit<SandboxCommand, "cwd">,
): Promise<SandboxResult> {
  const cache = join(context.store.dir, "cache", "gotest");
  await mkdir(cache, { recursive: true });
  const binds = [
    { host: sources.dir, inside: "/build", writable: false },
    { host: modules, inside: GO_MODULE_CACHE, writable: false },
    { host: cache, inside: GO_BUILD_CACHE, writable: true },
    ...command.binds,
  ];
  return runInSandbox(toolbox.root, { ...command, binds, cwd: "/build" });
}
