// SPDX-License-Identifier: Apache-2.0
// The initramfs of an image: the release's base archive, then a stored archive with what differs: the machine
// configuration, and below esp/ what a stand-alone image carries. Those files are compressed already, so they are stored.
import { bug } from "../errors.ts";
import type { CpioEntry } from "../layout/cpio.ts";
import { joinCpioArchives, layoutCpio } from "../layout/cpio.ts";
import { parentOf } from "../layout/entry-path.ts";
import { blobLayout, padLayout } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import type { Fat32File } from "../layout/fat32.ts";
import type { PlanCore } from "../plan/core.ts";
import type { PlacedItem } from "../plan/plan.ts";

const CONFIG_PATH = "dodeka/machine-config";
const CARRIED_FOLDER = "esp/";
const BASE_ALIGNMENT_BYTES = 4;
const COMMON = { uid: 0, gid: 0, mtimeSeconds: 0 } as const;

export interface Initramfs {
  readonly layout: Layout;
  /** The carried files by their path below esp/; offsets within the initramfs. */
  readonly carried: readonly PlacedItem[];
}

/** `carried` are the files of a medium that nobody attaches: what stage1 boots from, and an installation copies. */
export function layoutInitramfs(core: PlanCore, carried: readonly Fat32File[]): Initramfs {
  const files = carried.map(({ path, content }) => file(CARRIED_FOLDER + path, 0o444, content));
  if (core.machineConfig !== null) files.push(file(CONFIG_PATH, 0o400, blobLayout(core.machineConfig)));
  const base = padLayout(blobLayout(core.parts.initramfs), BASE_ALIGNMENT_BYTES);
  if (files.length === 0) return { layout: base, carried: [] };
  const archive = layoutCpio([...foldersOf(files), ...files]);
  return {
    layout: joinCpioArchives([base, archive]),
    carried: carried.map(({ path: name }) => {
      const placed = archive.files.get(CARRIED_FOLDER + name);
      if (placed === undefined) throw bug(`the initramfs does not hold ${CARRIED_FOLDER}${name}`);
      return { name, offset: base.length + placed.offset, size: placed.length };
    }),
  };
}

function file(path: string, mode: number, content: Layout): CpioEntry {
  return { ...COMMON, path, mode, kind: "file", content };
}

/** Every folder that the files lie in. */
function foldersOf(files: readonly CpioEntry[]): readonly CpioEntry[] {
  const folders = new Set<string>();
  for (const { path } of files) for (let at = parentOf(path); at !== undefined; at = parentOf(at)) folders.add(at);
  return [...folders].map((path) => ({ ...COMMON, path, mode: 0o755, kind: "directory" }));
}
