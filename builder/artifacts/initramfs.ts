// SPDX-License-Identifier: Apache-2.0
// The initramfs of an image: the release's base archive, then stored archives with what differs. The root image travels
// inside only where no medium carries it beside: stand-alone UKI and PXE. It is compressed already, so it is stored.
import type { CpioEntry } from "../layout/cpio.ts";
import { joinCpioArchives, layoutCpio } from "../layout/cpio.ts";
import type { Sha256 } from "../layout/digest.ts";
import { blobLayout } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import type { PlanCore } from "../plan/core.ts";

const CONFIG_PATH = "dodeka/machine-config";

export type RootPlace = "beside" | "embedded";

/** Base archive, root image when embedded, machine configuration when there is one. */
export function layoutInitramfs(core: PlanCore, root: RootPlace): Layout {
  const common = { uid: 0, gid: 0, mtimeSeconds: 0 };
  const files: CpioEntry[] = [];
  if (root === "embedded") {
    const content = blobLayout(core.parts.root);
    files.push({ ...common, path: rootImagePath(core.root.hash), mode: 0o444, kind: "file", content });
  }
  if (core.machineConfig !== null) {
    files.push({ ...common, path: CONFIG_PATH, mode: 0o400, kind: "file", content: blobLayout(core.machineConfig) });
  }
  const base = blobLayout(core.parts.initramfs);
  if (files.length === 0) return joinCpioArchives([base]);
  const directory: CpioEntry = { ...common, path: "dodeka", mode: 0o755, kind: "directory" };
  return joinCpioArchives([base, layoutCpio([directory, ...files])]);
}

/** Where stage1 looks for the root image, in the initramfs and on media alike. */
export function rootImagePath(hash: Sha256): string {
  return `dodeka/${hash}.root`;
}
