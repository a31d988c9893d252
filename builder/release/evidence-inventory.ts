// SPDX-License-Identifier: Apache-2.0
// Collects the inventory of a release from what was really made: the files of both images, the parts, and the packages and
// modules behind them. Stops at a file that nobody owns.
import { readFile } from "node:fs/promises";
import type { Component, Inventory, InventoryFile, InventoryPart } from "../../sbom/inventory.ts";
import { NO_OWNER } from "../../sbom/inventory.ts";
import { cpe, genericPurl, upstreamVersion } from "../../sbom/package-url.ts";
import { applyWaivers, parseWaivers } from "../../sbom/waivers.ts";
import { canonicalJson } from "../plan/canonical-json.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { putBytes, readWholeBlob } from "../host/store.ts";
import type { ActionContext } from "./action.ts";
import type { BuiltinStep } from "./compile.ts";
import { digestsOf, initramfsFiles, treeFiles } from "./evidence-files.ts";
import type { GoSources } from "./evidence-go.ts";
import { describeGoModules, withModuleLicence } from "./evidence-go.ts";
import type { FoundComponents, OwnerRules } from "./evidence-owners.ts";
import { moduleComponents, ownerOf } from "./evidence-owners.ts";
import type { DescribedPackage } from "./evidence-packages.ts";
import { describePackage } from "./evidence-packages.ts";
import { describeTools } from "./evidence-tools.ts";
import type { Lock } from "./lock.ts";
import type { BareRelease, Part } from "./manifest.ts";
import type { Tree } from "./tree.ts";
import { LINKED_PACKAGES } from "./userland-table.ts";

const WAIVERS = new URL("../../sbom/waivers.yaml", import.meta.url);
const MAX_PART_BYTES = 1024 * 1024 * 1024;

export interface InventoryInputs {
  readonly release: BareRelease;
  readonly lock: Lock;
  readonly rootfs: Tree;
  /** The certificate bundle, which is made of a package's files and has its name nowhere inside. */
  readonly certificates: BlobRef;
  /** Configuration, and empty file systems: whatever made those, they hold nothing of it. */
  readonly ownFiles: readonly BlobRef[];
  readonly goSources: GoSources;
  readonly builder: Sha256;
}

/** Stores the inventory as a part of the release. Throws RELEASE_INVALID for unowned files, and what reading them throws. */
export async function makeInventory(
  context: ActionContext,
  steps: BuiltinStep,
  inputs: InventoryInputs,
): Promise<Part> {
  const { store } = context;
  const end = context.onAction("inventory", false);
  try {
    const inventory = await collectInventory(context, steps, inputs);
    const blob = await putBytes(store, canonicalJson(inventory));
    end();
    return { ...blob, licence: "CC0-1.0", origin: ["dodeka:inventory"] };
  } catch (error) {
    end(error);
    throw error;
  }
}

async function collectInventory(
  context: ActionContext,
  steps: BuiltinStep,
  inputs: InventoryInputs,
): Promise<Inventory> {
  const { release, lock } = inputs;
  const packages = await describePackages(context, steps, inputs);
  const texts: Record<string, string> = Object.assign({}, ...[...packages.values()].map((p) => p.texts)) as Record<
    string,
    string
  >;
  const kernel = kernelComponent(release, packages);
  const bare = systemComponent(release);
  const rules = ownerRules(inputs, packages, { kernel, system: bare });
  const found: FoundComponents = { binaries: new Map(), modules: new Map() };
  const files = await collectFiles(context, inputs, rules, found);
  const go = await describeGoModules(
    [...found.binaries.values()].map((b) => b.info),
    inputs.goSources,
  );
  const system = { ...bare, dependsOn: systemParts(files, found, bare.id) };
  const components = [
    ...[...packages.values()].map((p) => p.component),
    ...[...found.binaries.values()].map((b) => withModuleLicence(b.component, b.info, go.components)),
    ...moduleComponents(found.modules, rules, texts),
    ...go.components,
    kernel,
    system,
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    format: 1,
    version: release.version,
    system: system.id,
    parts: await describeParts(context, release, rules, packages),
    files,
    components,
    formulation: await describeTools(lock, "compile", { version: release.version, builder: inputs.builder }),
    licences: { ...texts, ...go.texts },
    waived: applyWaivers(files, parseWaivers(await readFile(WAIVERS, "utf8"))),
  };
}

/** Every package that a part names as its origin, by `deb:name@version`. */
async function describePackages(
  { store }: ActionContext,
  steps: BuiltinStep,
  { release, lock }: InventoryInputs,
): Promise<ReadonlyMap<string, DescribedPackage>> {
  const origins = new Set(Object.values(release.parts).flatMap((part) => part.origin));
  const entries = lock.packages.filter((p) => origins.has(packageOrigin(p)));
  const described = entries.map(async (p) => [packageOrigin(p), await describePackage(store, steps, lock, p)] as const);
  return new Map(await Promise.all(described));
}

function packageOrigin({ name, version }: { readonly name: string; readonly version: string }): string {
  return `deb:${name}@${version}`;
}

function ownerRules(
  { release, certificates, ownFiles }: InventoryInputs,
  packages: ReadonlyMap<string, DescribedPackage>,
  { kernel, system }: { readonly kernel: Component; readonly system: Component },
): OwnerRules {
  const bundle = [...packages.values()].find((p) => p.component.name === "ca-certificates")?.component.id;
  const byDigest = new Map([release.parts["os-release"], ...ownFiles].map((blob) => [blob.digest, system.id]));
  const grub = [...packages.values()].find((p) => p.component.name === "grub-pc-bin")?.component.id;
  for (const name of ["grub-boot", "grub-core"] as const)
    if (grub !== undefined) byDigest.set(release.parts[name].digest, grub);
  if (bundle !== undefined) byDigest.set(certificates.digest, bundle);
  const linkedIds = [...packages.values()].map((p) => p.component).filter((c) => LINKED_PACKAGES.includes(c.name));
  return {
    version: release.version,
    linkedIds: linkedIds.map((c) => c.id),
    kernelRelease: release.kernel.release,
    kernelId: kernel.id,
    systemId: system.id,
    byDigest,
  };
}

async function collectFiles(
  { store }: ActionContext,
  { release, rootfs }: InventoryInputs,
  rules: OwnerRules,
  found: FoundComponents,
): Promise<readonly InventoryFile[]> {
  const files: InventoryFile[] = [];
  const add = (file: Parameters<typeof ownerOf>[0]): void => {
    const { image, path, mode, target, bytes } = file;
    files.push({ image, path, mode, target, owner: ownerOf(file, rules, found), ...digestsOf(bytes) });
  };
  for (const file of await initramfsFiles(store, release.parts.initramfs)) add(file);
  for await (const file of treeFiles(store, "root", rootfs)) add(file);
  return files;
}

/** A part belongs to the package that it was taken from; kernel and what is made of several belong to kernel and system. */
async function describeParts(
  { store }: ActionContext,
  release: BareRelease,
  rules: OwnerRules,
  packages: ReadonlyMap<string, DescribedPackage>,
): Promise<Readonly<Record<string, InventoryPart>>> {
  const describe = async ([name, part]: [string, Part]): Promise<[string, InventoryPart]> => {
    const bytes = await readWholeBlob(store, part.digest, MAX_PART_BYTES);
    const owner = partOwner(name, part, rules, packages);
    return [name, { ...digestsOf(bytes), owner }];
  };
  return Object.fromEntries(await Promise.all(Object.entries(release.parts).map(describe)));
}

function partOwner(
  name: string,
  part: Part,
  rules: OwnerRules,
  packages: ReadonlyMap<string, DescribedPackage>,
): string {
  if (name.startsWith("kernel")) return rules.kernelId;
  const [first] = part.origin;
  return (first === undefined ? undefined : packages.get(first)?.component.id) ?? rules.systemId;
}

/** What the OS is directly made of; kernel modules hang on the kernel. */
function systemParts(files: readonly InventoryFile[], found: FoundComponents, systemId: string): readonly string[] {
  const owners = new Set(files.map((f) => f.owner).filter((id) => id !== NO_OWNER && id !== systemId));
  return [...owners].filter((id) => !found.modules.has(id)).sort();
}

function kernelComponent({ kernel, parts }: BareRelease, packages: ReadonlyMap<string, DescribedPackage>): Component {
  const [origin = ""] = parts.kernel.origin;
  const version = upstreamVersion(origin.slice(origin.indexOf("@") + 1));
  return {
    id: "linux",
    kind: "operating-system",
    name: "linux",
    version,
    description: `Linux kernel ${kernel.release}`,
    supplier: "",
    licence: parts.kernel.licence,
    copyrights: [],
    purl: genericPurl("linux", version),
    cpe: cpe("o", "linux", "linux_kernel", version),
    sha256: parts.kernel.digest,
    dependsOn: [packages.get(origin)?.component.id ?? []].flat(),
    facts: {
      "linux:release": kernel.release,
      "linux:flavour": kernel.flavour,
      "linux:config-sha256": parts["kernel-config"].digest,
      "linux:from": origin,
    },
  };
}

function systemComponent({ version, arch }: BareRelease): Component {
  return {
    id: "dodeka",
    kind: "operating-system",
    name: "dodeka",
    version,
    description: "immutable Kubernetes OS",
    supplier: "",
    licence: "Apache-2.0",
    copyrights: [],
    purl: genericPurl("dodeka", version, { arch }),
    cpe: null,
    sha256: null,
    dependsOn: [],
    facts: {},
  };
}
