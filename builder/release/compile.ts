// SPDX-License-Identifier: Apache-2.0
// compile: pinned sources -> Release. It takes minutes, happens rarely, and is the only stage that needs a toolbox.
// Steps that do not wait for each other run side by side: Go compiles while the kernel package is taken apart.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PE_NX_COMPAT, parsePe } from "../layout/pe.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import type { GoNetwork } from "../host/go-network.ts";
import { putBytes, readWholeBlob } from "../host/store.ts";
import type { ActionContext, BuiltinAction } from "./action.ts";
import { runAction } from "./action.ts";
import { bundleCertificates, packInitramfs, renderOsRelease, takeSystemdBoot } from "./boot-parts.ts";
import { grubAction } from "./grub.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { findPackage, packageOrigin } from "./lock.ts";
import { makeInventory } from "./evidence-inventory.ts";
import type { BareRelease, Part, Release, RootIdentity } from "./manifest.ts";
import type { KernelChoice, ReleaseKernel } from "./release-kernel.ts";
import { makeKernel } from "./release-kernel.ts";
import { sealRootImage, squashfsAction } from "./root-image.ts";
import { INITRAMFS_PROGRAM, rootfsTree } from "./rootfs.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree } from "./tree.ts";
import { fileOf } from "./tree.ts";
import { deviceFiles, volumeTemplatesAction } from "./volume-templates.ts";
import { USERLAND_DIR } from "./go-modules.ts";
import { buildUserland, programOf } from "./userland.ts";
import { LINKED_PACKAGES } from "./userland-table.ts";

/** Beside the go.mod that pins the program which reads it. */
const CONTAINERD_CONFIG = join(USERLAND_DIR, "containerd/config.toml");

export interface CompileInputs {
  readonly version: string;
  readonly lock: Lock;
  readonly kernel: KernelChoice;
  readonly toolbox: Toolbox;
  readonly network: GoNetwork;
  /** Digest of the factory's own sources, which decide what the built-in steps do. */
  readonly builder: Sha256;
}

/** Runs what is not in the store yet and returns the Release. */
export async function compileRelease(context: ActionContext, inputs: CompileInputs): Promise<Release> {
  const { store } = context;
  const { lock, version } = inputs;
  const steps = builtinSteps(context, inputs.builder);
  const pick = (pattern: RegExp): LockedPackage => findPackage(lock, "parts", pattern);
  const packages = {
    boot: pick(/^systemd-boot-efi$/),
    certificates: pick(/^ca-certificates$/),
  };
  const osRelease = await putBytes(store, renderOsRelease(version));
  const containerdConfig = await putBytes(store, await readFile(CONTAINERD_CONFIG));

  const [userland, kernel, boot, certificates, grub, templates] = await Promise.all([
    buildUserland(context, inputs),
    makeKernel(context, steps, lock, inputs.kernel),
    steps("systemd-boot", packages.boot, null, () => takeSystemdBoot(store, packages.boot)),
    steps("certificates", packages.certificates, null, () => bundleCertificates(store, packages.certificates)),
    runAction(context, grubAction(inputs.toolbox)),
    runAction(context, volumeTemplatesAction(inputs.toolbox)),
  ]);
  const rootfs = rootfsTree({
    programs: userland.programs,
    osRelease,
    certificates: fileOf(certificates, "ca-certificates.crt"),
    containerdConfig,
    modules: kernel.root,
    deviceFiles: deviceFiles(templates, grub),
  });
  const stage1 = programOf(userland, INITRAMFS_PROGRAM);
  const early = kernel.initramfs;
  const [root, initramfs] = await Promise.all([
    makeRootImage(context, inputs.toolbox, steps, rootfs),
    steps("initramfs", null, { stage1, early }, () => packInitramfs(store, stage1, early)),
  ]);
  const made = { kernel, boot, grub, root, initramfs, osRelease };
  const release = await assemble(context, inputs, packages, made);
  const inventory = await makeInventory(context, steps, {
    release,
    lock,
    rootfs,
    certificates: fileOf(certificates, "ca-certificates.crt"),
    ownFiles: [containerdConfig, ...Object.values(templates).flatMap((n) => (n.kind === "file" ? [n.blob] : []))],
    goSources: { moduleCaches: userland.moduleCaches, toolboxRoot: inputs.toolbox.root, version },
    builder: inputs.builder,
  });
  return { ...release, parts: { ...release.parts, inventory } };
}

/** Runs a function of ours as an action; `source` and `parameters` are what decides its result. */
export type BuiltinStep = (
  name: string,
  source: LockedPackage | null,
  parameters: unknown,
  perform: () => Promise<Tree>,
) => Promise<Tree>;

function builtinSteps(context: ActionContext, builder: Sha256): BuiltinStep {
  return (name, source, parameters, perform) => {
    const described = { source: source === null ? null : source.sha256, parameters };
    const action: BuiltinAction = { kind: "builtin", name, inputs: {}, builder, parameters: described, perform };
    return runAction(context, action);
  };
}

async function makeRootImage(
  context: ActionContext,
  toolbox: Toolbox,
  steps: BuiltinStep,
  rootfs: Tree,
): Promise<Tree> {
  const squashfs = fileOf(await runAction(context, squashfsAction(toolbox, rootfs)), "root.squashfs");
  return steps("root image", null, { squashfs }, () => sealRootImage(context.store, squashfs));
}

interface Made {
  readonly kernel: ReleaseKernel;
  readonly boot: Tree;
  readonly grub: Tree;
  readonly root: Tree;
  readonly initramfs: Tree;
  readonly osRelease: BlobRef;
}

type Packages = Readonly<Record<"boot" | "certificates", LockedPackage>>;

async function assemble(
  { store }: ActionContext,
  { lock, version }: CompileInputs,
  packages: Packages,
  made: Made,
): Promise<BareRelease> {
  const identity = JSON.parse(
    Buffer.from(await readWholeBlob(store, fileOf(made.root, "verity.json").digest)).toString(),
  ) as RootIdentity;
  const { kernel } = made;
  const image = parsePe(await readWholeBlob(store, kernel.image.digest, 64 * 1024 * 1024));
  const kernelOrigin = kernel.origin;
  const grubOrigin = ["grub-pc-bin", "grub-common"].map((name) =>
    packageOrigin(findPackage(lock, "compile", new RegExp(`^${name}$`))),
  );
  const bootOrigin = [packageOrigin(packages.boot)];
  const linked = LINKED_PACKAGES.map((name) => packageOrigin(findPackage(lock, "compile", new RegExp(`^${name}$`))));
  const ours = ["dodeka:userland"];
  return {
    format: 1,
    version,
    arch: "amd64",
    epochSeconds: lock.epochSeconds,
    kernel: { ...kernel.facts, nxCompatible: (image.dllCharacteristics & PE_NX_COMPAT) !== 0 },
    root: identity,
    parts: {
      ...kernelParts(kernel),
      kernel: part(kernel.image, "GPL-2.0-only WITH Linux-syscall-note", kernelOrigin),
      "kernel-config": part(kernel.config, "GPL-2.0-only", kernelOrigin),
      initramfs: part(fileOf(made.initramfs, "initramfs.zst"), "Apache-2.0 AND GPL-2.0-only", [
        ...ours,
        ...kernelOrigin,
      ]),
      root: part(fileOf(made.root, "root"), ROOT_LICENCE, [
        ...ours,
        ...kernelOrigin,
        packageOrigin(packages.certificates),
        ...linked,
        ...grubOrigin,
      ]),
      "uki-stub": part(fileOf(made.boot, "uki.stub"), "LGPL-2.1-or-later", bootOrigin),
      "systemd-boot": part(fileOf(made.boot, "systemd-boot.efi"), "LGPL-2.1-or-later", bootOrigin),
      "grub-boot": part(fileOf(made.grub, "boot.img"), "GPL-3.0-or-later", grubOrigin),
      "grub-core": part(fileOf(made.grub, "core.img"), "GPL-3.0-or-later", grubOrigin),
      "grub-cd": part(fileOf(made.grub, "cd.img"), "GPL-3.0-or-later", grubOrigin),
      "grub-hybrid": part(fileOf(made.grub, "boot_hybrid.img"), "GPL-3.0-or-later", grubOrigin),
      "os-release": part(made.osRelease, "Apache-2.0", ours),
    },
  };
}

/** Of what it mainly consists of; the inventory names the licence of each component. */
const ROOT_LICENCE =
  "Apache-2.0 AND GPL-2.0-only AND GPL-3.0-or-later AND LGPL-2.1-only AND LGPL-2.1-or-later AND MPL-2.0";

/** What only a kernel from source has, all of it derived from the kernel. */
function kernelParts({ parts, origin }: ReleaseKernel): Readonly<Record<string, Part>> {
  return Object.fromEntries(Object.entries(parts).map(([name, blob]) => [name, part(blob, "GPL-2.0-only", origin)]));
}

function part(blob: BlobRef, licence: string, from: readonly string[]): Part {
  return { digest: blob.digest, size: blob.size, licence, origin: from };
}
