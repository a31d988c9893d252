// SPDX-License-Identifier: Apache-2.0
// What the root file system and the initramfs hold, as trees. Everything belongs to root:root.
import type { BlobRef } from "../layout/digest.ts";
import type { CpioEntry } from "../layout/cpio.ts";
import { blobLayout } from "../layout/extent.ts";
import { treePaths } from "./tree.ts";
import type { Tree, TreeNode } from "./tree.ts";

/** Mount points and the folders that generated files go to. */
const ROOT_DIRECTORIES: Readonly<Record<string, number>> = {
  dev: 0o755,
  etc: 0o755,
  "etc/cni": 0o755,
  "etc/cni/net.d": 0o755,
  "etc/containerd": 0o755,
  "etc/cri": 0o755,
  "etc/cri/conf.d": 0o755,
  "etc/ssl": 0o755,
  "etc/ssl/certs": 0o755,
  lib: 0o755,
  opt: 0o755,
  "opt/cni": 0o755,
  "opt/cni/bin": 0o755,
  proc: 0o555,
  root: 0o700,
  run: 0o755,
  sbin: 0o755,
  sys: 0o555,
  system: 0o755,
  "system/state": 0o700,
  tmp: 0o1777,
  usr: 0o755,
  "usr/bin": 0o755,
  var: 0o755,
};

/** The program that the initramfs starts; all others are in the root image. */
export const INITRAMFS_PROGRAM = "stage1";

/** Programs that are not in usr/bin: what the kernel and init start by its full name. */
const PROGRAM_PLACES: Readonly<Record<string, string>> = {
  apid: "sbin/apid",
  dashboard: "sbin/dashboard",
  init: "sbin/init",
  modprobe: "sbin/modprobe",
  trustd: "sbin/trustd",
};

/** /etc is read-only: what init finds out at run time lies in /run and is linked to. */
const ROOT_LINKS: Readonly<Record<string, string>> = {
  bin: "usr/bin",
  "etc/cri/conf.d/hosts": "/run/dodeka/registries",
  "etc/hostname": "/run/dodeka/hostname",
  "etc/hosts": "/run/dodeka/hosts",
  "etc/mtab": "/proc/self/mounts",
  "etc/passwd": "/run/dodeka/kubelet/passwd", // the kubelet looks for its own account in it
  "etc/resolv.conf": "/run/dodeka/resolv.conf",
  "sbin/poweroff": "init",
  "sbin/reboot": "init",
  "sbin/shutdown": "init",
  "usr/bin/umount": "mount",
  // Where containerd looks for the network plugins that pod networks name.
  "opt/cni/bin/bridge": "../../../usr/bin/cni",
  "opt/cni/bin/host-local": "../../../usr/bin/cni",
  "opt/cni/bin/loopback": "../../../usr/bin/cni",
  "opt/cni/bin/portmap": "../../../usr/bin/cni",
};

export interface RootfsInputs {
  /** By name; the initramfs's own is passed over. */
  readonly programs: Readonly<Record<string, BlobRef>>;
  readonly osRelease: BlobRef;
  readonly certificates: BlobRef;
  readonly containerdConfig: BlobRef;
  /** `lib/modules/…` */
  readonly modules: Tree;
  /** What making volumes and installing need: `usr/share/dodeka/…`. */
  readonly deviceFiles: Tree;
}

export function rootfsTree(inputs: RootfsInputs): Tree {
  const names = Object.keys(inputs.programs).filter((name) => name !== INITRAMFS_PROGRAM);
  const programs = names.map((name) => [
    programPlace(name),
    { kind: "file", blob: inputs.programs[name], mode: 0o755 },
  ]);
  const directories = Object.entries(ROOT_DIRECTORIES).map(
    ([path, mode]) => [path, { kind: "directory", mode }] as const,
  );
  const links = Object.entries(ROOT_LINKS).map(([path, target]) => [path, { kind: "symlink", target }] as const);
  return {
    ...Object.fromEntries([...directories, ...links]),
    ...inputs.modules,
    ...inputs.deviceFiles,
    ...(Object.fromEntries(programs) as Tree),
    "etc/containerd/config.toml": { kind: "file", blob: inputs.containerdConfig, mode: 0o644 },
    "etc/os-release": { kind: "file", blob: inputs.osRelease, mode: 0o644 },
    "etc/ssl/certs/ca-certificates.crt": { kind: "file", blob: inputs.certificates, mode: 0o644 },
  };
}

/** Where a program lies in the root image. */
export function programPlace(name: string): string {
  return PROGRAM_PLACES[name] ?? `usr/bin/${name}`;
}

/**
 * The base initramfs as two archives: first stage1, drivers, and the console that the kernel opens for it, then the link
 * that makes stage1 the program to run. See packInitramfs for why they are two.
 */
export function initramfsArchives(
  stage1: BlobRef,
  modules: Tree,
  mtimeSeconds: number,
): readonly (readonly CpioEntry[])[] {
  const common = { uid: 0, gid: 0, mtimeSeconds };
  const directory = (path: string): CpioEntry => ({ ...common, path, mode: 0o755, kind: "directory" });
  const file = (path: string, blob: BlobRef, mode: number): CpioEntry => ({
    ...common,
    path,
    mode,
    kind: "file",
    content: blobLayout(blob),
  });
  const moduleFiles = treePaths(modules).flatMap((path) => {
    const node = modules[path];
    return node?.kind === "file" ? [file(path, node.blob, 0o644)] : [];
  });
  const parents = new Set(moduleFiles.flatMap((f) => parentsOf(f.path)));
  const content: readonly CpioEntry[] = [
    ...["dev", "proc", "sys", "run", "dodeka", "sysroot"].map(directory),
    ...[...parents].map(directory),
    { ...common, path: "dev/console", mode: 0o600, kind: "device", device: "char", major: 5, minor: 1 },
    file("stage1", stage1, 0o755),
    ...moduleFiles,
  ];
  return [content, [{ ...common, path: "init", mode: 0o777, kind: "symlink", target: "stage1" }]];
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** The subtree below `prefix`, without it. */
export function subtree(tree: Tree, prefix: string): Tree {
  const nodes = Object.entries(tree).flatMap(([path, node]): [string, TreeNode][] =>
    path.startsWith(`${prefix}/`) ? [[path.slice(prefix.length + 1), node]] : [],
  );
  return Object.fromEntries(nodes);
}
