// SPDX-License-Identifier: Apache-2.0
// Compiles the kernel from the locked source: configuration, image, modules, an action each. What makes builds equal:
// one path (/build), one user, host, time and number, no key, no build salt, stripped modules. kbuild's own dependency
// tracking in a cache folder makes a rebuild after a small change quick; ccache was left out, since it made cold builds
// half as slow again and kbuild knows better which objects an option reaches.
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError } from "../errors.ts";
import { sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";
import type { Store } from "../host/store.ts";
import { putBytes, readWholeBlob } from "../host/store.ts";
import type { ActionContext, CommandAction } from "./action.ts";
import { runAction } from "./action.ts";
import { withBuildFolder } from "./build-folder.ts";
import type { FragmentSetting } from "./kernel-fragments.ts";
import { checkHonoured, parseSymbols, readFragments, renderAllConfig } from "./kernel-fragments.ts";
import { unpackKernelSource } from "./kernel-source.ts";
import type { LockedPackage } from "./lock.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree, TreeNode } from "./tree.ts";
import { fileOf } from "./tree.ts";

const CONFIG_DIR = fileURLToPath(new URL("../../kernel-config", import.meta.url));
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** The kernel's name of the architecture (ARCH=). */
export type KernelArch = "x86" | "arm64";

/** Folder of kernel-config/fragments/ that holds what only this architecture has. */
const ARCH_FRAGMENTS: Readonly<Record<KernelArch, string>> = { x86: "x86_64", arm64: "arm64" };

/** uname -v and the image carry these; the date is a constant, since a build's day says nothing about its content. */
export const BUILD_ENV: Readonly<Record<string, string>> = {
  KBUILD_BUILD_USER: "dodeka",
  KBUILD_BUILD_HOST: "dodeka",
  KBUILD_BUILD_VERSION: "1",
  KBUILD_BUILD_TIMESTAMP: "Thu Jan  1 00:00:00 UTC 1970",
  TZ: "UTC",
};

export interface KernelInputs {
  readonly toolbox: Toolbox;
  readonly source: LockedPackage;
  readonly arch: KernelArch;
  /** Fragments by path below kernel-config/fragments/. */
  readonly fragments: ReadonlyMap<string, string>;
}

/** The fragments of an architecture, as they lie in this checkout. */
export async function readFragmentFiles(
  arch: KernelArch,
  dir: string = join(CONFIG_DIR, "fragments"),
): Promise<ReadonlyMap<string, string>> {
  const fragments = new Map<string, string>();
  for (const folder of ["", ARCH_FRAGMENTS[arch]]) {
    for (const name of (await readdir(join(dir, folder))).filter((n) => n.endsWith(".config")).sort()) {
      fragments.set(join(folder, name), await readFile(join(dir, folder, name), "utf8"));
    }
  }
  return fragments;
}

/** A kernel that is configured and may be compiled. */
export interface ConfiguredKernel {
  readonly inputs: KernelInputs;
  readonly settings: readonly FragmentSetting[];
  readonly config: string;
  /** Directory of the unpacked source. */
  readonly sourceDir: string;
}

/** Answers Kconfig with the fragments. Throws RELEASE_INVALID for each line that it did not honour. */
export async function configureKernel(context: ActionContext, inputs: KernelInputs): Promise<ConfiguredKernel> {
  const settings = readFragments(inputs.fragments);
  const sourceDir = await unpackKernelSource(context, inputs.toolbox, inputs.source);
  const files = { allconfig: renderAllConfig(settings), "configure.sh": await script("configure.sh") };
  const outputs = await runKernelAction(context, {
    ...(await command(context.store, inputs, sourceDir, files)),
    name: "kernel configuration",
    argv: ["bash", "configure.sh"],
    outputs: ["config", "symbols.tsv"],
  });
  const read = async (name: string): Promise<string> =>
    Buffer.from(await readWholeBlob(context.store, fileOf(outputs, name).digest, MAX_CONFIG_BYTES)).toString("utf8");
  const config = await read("config");
  checkHonoured(settings, config, parseSymbols(await read("symbols.tsv")));
  return { inputs, settings, config, sourceDir };
}

/** Outputs: `vmlinuz`, `System.map`, `modules.builtin`, `modules.builtin.modinfo`, `release`. */
export function compileKernelImage(context: ActionContext, kernel: ConfiguredKernel): Promise<Tree> {
  const outputs = ["vmlinuz", "System.map", "modules.builtin", "modules.builtin.modinfo", "release"];
  return compile(context, kernel, { name: "kernel image", target: "image", outputs });
}

/** Output: `modules.tar`, stripped modules without signatures below `kernel/`. Quick once the image is compiled. */
export function compileKernelModules(context: ActionContext, kernel: ConfiguredKernel): Promise<Tree> {
  return compile(context, kernel, { name: "kernel modules", target: "modules", outputs: ["modules.tar"] });
}

interface CompileStep {
  readonly name: string;
  readonly target: "image" | "modules";
  readonly outputs: readonly string[];
}

async function compile(context: ActionContext, kernel: ConfiguredKernel, step: CompileStep): Promise<Tree> {
  const { inputs, sourceDir, config } = kernel;
  const files = { config, "build.sh": await script("build.sh"), "huge-pages.c": await script("huge-pages.c") };
  const base = await command(context.store, inputs, sourceDir, files);
  return withBuildFolder(context.store, folderName(inputs), (out) =>
    runKernelAction(context, {
      ...base,
      name: step.name,
      argv: ["bash", "build.sh", step.target],
      outputs: step.outputs,
      caches: [...base.caches, { host: out, inside: "/build/out", writable: true }],
      speed: { JOBS: String(availableParallelism()) },
      countDone: countObjects,
    }),
  );
}

async function runKernelAction(context: ActionContext, action: CommandAction): Promise<Tree> {
  try {
    return await runAction(context, action);
  } catch (error) {
    throw explainMissingTool(error);
  }
}

/** kbuild's output folder, one for each source, toolbox and architecture: objects of others are of no use to it. */
function folderName({ toolbox, source, arch }: KernelInputs): string {
  const identity = sha256(canonicalJson({ toolbox: toolbox.digest, source: source.sha256, arch }));
  return `linux-build-${identity.slice(0, 32)}`;
}

type Unnamed = Omit<CommandAction, "name" | "argv" | "outputs">;

async function command(
  store: Store,
  { toolbox, source, arch }: KernelInputs,
  sourceDir: string,
  files: Readonly<Record<string, string>>,
): Promise<Unnamed> {
  const inputs: Record<string, TreeNode> = {
    source: { kind: "directory", mode: 0o755 },
    out: { kind: "directory", mode: 0o755 },
  };
  for (const [path, text] of Object.entries(files))
    inputs[path] = { kind: "file", blob: await putBytes(store, text), mode: 0o644 };
  return {
    kind: "command",
    inputs,
    // The source lies in a cache, which no digest covers: its package's digest stands here for it.
    env: { ...BUILD_ENV, KERNEL_ARCH: arch, KERNEL_SOURCE_SHA256: source.sha256 },
    toolbox,
    caches: [{ host: sourceDir, inside: "/build/source", writable: false }],
  };
}

function script(name: string): Promise<string> {
  return readFile(join(CONFIG_DIR, name), "utf8");
}

/** kbuild prints a line such as "  CC      mm/slub.o" for each object. */
export function countObjects(output: string): number {
  return output.match(/^ {2}(CC|AS|CC \[M\]|LD \[M\])\s/gm)?.length ?? 0;
}

const MISSING_TOOL = [
  /^(?!.*\berror: )(?:.*[\s'])?([\w.+-]+)'?: (?:command not found|No such file or directory)$/m, // bash, make, env
  /compiler '([\w.+-]+)' not found$/m, //                                          Kconfig
];

/** A tool that the toolbox lacks fails deep inside make; say what is missing instead. */
export function explainMissingTool(error: unknown): unknown {
  if (!(error instanceof FactoryError) || error.code !== "ACTION_FAILED") return error;
  const output = error.details.output ?? "";
  const tool = MISSING_TOOL.map((pattern) => pattern.exec(output)?.[1]).find((found) => found !== undefined);
  if (tool === undefined) return error;
  return new FactoryError({
    ...error.details,
    expected: `the program "${tool}" in the toolbox "kernel"`,
    fix: "add its package to the group in builder/release/package-groups.ts and run `dodeka lock`",
  });
}
