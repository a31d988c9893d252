// SPDX-License-Identifier: Apache-2.0
// The kernel of a release, in one of two flavours that look alike to the steps behind: Debian's stock kernel with the
// modules that booting needs, or our own from Debian's source with everything built in.
import type { Store } from "../host/store.ts";
import { putBytes, readWholeBlob } from "../host/store.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { ActionContext } from "./action.ts";
import { runAction } from "./action.ts";
import type { BuiltinStep } from "./compile.ts";
import type { ModuleLists } from "./debian-kernel.ts";
import { unpackDebianKernel } from "./debian-kernel.ts";
import { makeDriverTable, readDeviceAliases, renderDriverTable } from "./driver-table.ts";
import type { ConfiguredKernel, KernelInputs } from "./kernel-build.ts";
import { compileKernelImage, compileKernelModules, configureKernel } from "./kernel-build.ts";
import type { Requirement } from "./kernel-check.ts";
import { checkRequirements } from "./kernel-check.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { findPackage, packageOrigin } from "./lock.ts";
import type { KernelFacts } from "./manifest.ts";
import { moduleName } from "./modinfo.ts";
import type { CompiledModule, ModuleGroup } from "./module-groups.ts";
import { extensionTree, groupModules, packExtensions, readModulesTar } from "./module-groups.ts";
import { subtree } from "./rootfs.ts";
import type { Tree, TreeNode } from "./tree.ts";
import { fileOf } from "./tree.ts";

/** What to make the kernel from. */
export type KernelChoice = { readonly flavour: "stock"; readonly moduleLists: ModuleLists } | OwnKernel;

export interface OwnKernel {
  readonly flavour: "source";
  readonly inputs: KernelInputs;
  /** Extensions to pack; none leaves modules uncompiled. */
  readonly groups: readonly ModuleGroup[];
  readonly requirements: readonly Requirement[];
}

export interface ReleaseKernel {
  readonly image: BlobRef;
  readonly config: BlobRef;
  readonly facts: Omit<KernelFacts, "nxCompatible">;
  readonly origin: readonly string[];
  /** `lib/modules/…` of the initramfs and of the root image. */
  readonly initramfs: Tree;
  readonly root: Tree;
  /** Further parts of the manifest, by name. */
  readonly parts: Readonly<Record<string, BlobRef>>;
}

export function makeKernel(
  context: ActionContext,
  steps: BuiltinStep,
  lock: Lock,
  choice: KernelChoice,
): Promise<ReleaseKernel> {
  const stock = findPackage(lock, "parts", /^linux-image-/);
  switch (choice.flavour) {
    case "stock":
      return takeStockKernel(context.store, steps, stock, choice.moduleLists);
    case "source":
      return compileOwnKernel(context, steps, stock, choice);
    default:
      return choice satisfies never;
  }
}

async function takeStockKernel(
  store: Store,
  steps: BuiltinStep,
  stock: LockedPackage,
  lists: ModuleLists,
): Promise<ReleaseKernel> {
  const tree = await steps("kernel", stock, lists, () => unpackDebianKernel(store, stock, lists));
  return {
    image: fileOf(tree, "vmlinuz"),
    config: fileOf(tree, "config"),
    facts: { flavour: "stock", release: stock.name.replace(/^linux-image-/, "") },
    origin: [packageOrigin(stock)],
    initramfs: subtree(tree, "initramfs"),
    root: subtree(tree, "root"),
    parts: {},
  };
}

async function compileOwnKernel(
  context: ActionContext,
  steps: BuiltinStep,
  stock: LockedPackage,
  choice: OwnKernel,
): Promise<ReleaseKernel> {
  const { store } = context;
  const kernel = await configureKernel(context, choice.inputs);
  checkRequirements(kernel.config, choice.requirements);
  const image = await compileKernelImage(context, kernel);
  const release = (await textOf(store, fileOf(image, "release"))).trim();
  const builtin = moduleNames(await textOf(store, fileOf(image, "modules.builtin")));
  const modules = choice.groups.length === 0 ? undefined : await compileKernelModules(context, kernel);
  const compiled = modules === undefined ? [] : await readModulesTar(store, fileOf(modules, "modules.tar"));
  const config = await putBytes(store, kernel.config);
  const drivers = await driverTable(store, steps, stock, { builtin, modules: configuredModules(compiled) });
  return {
    image: fileOf(image, "vmlinuz"),
    config,
    facts: { flavour: "source", release, ...identity(kernel) },
    origin: [packageOrigin(choice.inputs.source), "dodeka:kernel-config"],
    initramfs: {},
    root: await rootModules(store, release, fileOf(image, "modules.builtin")),
    parts: {
      "kernel-symbols": fileOf(image, "System.map"),
      "kernel-drivers": drivers,
      ...(await packGroups(context, choice, { release, builtin, compiled })),
    },
  };
}

function identity({ inputs, config }: ConfiguredKernel): { source: string; toolbox: Sha256; configDigest: Sha256 } {
  return { source: packageOrigin(inputs.source), toolbox: inputs.toolbox.digest, configDigest: sha256(config) };
}

/** The root's module folder: no module, but the indices by which modprobe and CNI pods learn what is built in. */
async function rootModules(store: Store, release: string, builtin: BlobRef): Promise<Tree> {
  const empty: TreeNode = { kind: "file", blob: await putBytes(store, ""), mode: 0o644 };
  return {
    [`lib/modules/${release}/modules.dep`]: empty,
    [`lib/modules/${release}/modules.alias`]: empty,
    [`lib/modules/${release}/modules.builtin`]: { kind: "file", blob: builtin, mode: 0o644 },
  };
}

async function driverTable(
  store: Store,
  steps: BuiltinStep,
  stock: LockedPackage,
  has: { readonly builtin: ReadonlySet<string>; readonly modules: ReadonlySet<string> },
): Promise<BlobRef> {
  const described = { builtin: [...has.builtin], modules: [...has.modules] };
  const tree = await steps("driver table", stock, described, async () => {
    const table = makeDriverTable(await readDeviceAliases(store, stock), has.builtin, has.modules);
    return { drivers: { kind: "file", blob: await putBytes(store, renderDriverTable(table)), mode: 0o644 } };
  });
  return fileOf(tree, "drivers");
}

async function packGroups(
  context: ActionContext,
  { groups, inputs }: OwnKernel,
  made: { release: string; builtin: ReadonlySet<string>; compiled: readonly CompiledModule[] },
): Promise<Readonly<Record<string, BlobRef>>> {
  if (groups.length === 0) return {};
  const grouped = await groupModules(groups, made.compiled, made.builtin);
  const trees = new Map<string, Tree>();
  for (const [group, modules] of grouped)
    trees.set(group.name, await extensionTree(context.store, made.release, group, modules));
  const packed = await runAction(context, packExtensions(inputs.toolbox, trees));
  return Object.fromEntries(
    [...trees.keys()].map((name) => [`kernel-modules-${name}`, fileOf(packed, `${name}.tar`)] as const),
  );
}

function moduleNames(builtinText: string): ReadonlySet<string> {
  return new Set(builtinText.split("\n").filter(Boolean).map(moduleName));
}

function configuredModules(compiled: readonly CompiledModule[]): ReadonlySet<string> {
  return new Set(compiled.map((m) => m.info.name));
}

async function textOf(store: Store, blob: BlobRef): Promise<string> {
  return Buffer.from(await readWholeBlob(store, blob.digest)).toString("utf8");
}
