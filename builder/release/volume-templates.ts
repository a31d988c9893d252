// SPDX-License-Identifier: Apache-2.0
// Makes the empty file systems that a device writes to STATE and EPHEMERAL at its first boot and then lets the kernel grow,
// so that the OS needs no mkfs. They are mostly zeros: squashfs packs both into a few kilobytes.
// metadata_csum_seed lets the device change the UUID by rewriting superblocks only. Reserved descriptor blocks for 8 TiB
// (the most that resize_inode can have) let EPHEMERAL grow while mounted; beyond that the kernel goes over to meta_bg.
import type { Tree } from "./tree.ts";
import { fileOf } from "./tree.ts";
import type { CommandAction } from "./action.ts";
import type { Toolbox } from "./toolbox.ts";

const FEATURES = [
  "none",
  "has_journal",
  "ext_attr",
  "dir_index",
  "filetype",
  "extent",
  "64bit",
  "flex_bg",
  "sparse_super",
  "large_file",
  "huge_file",
  "dir_nlink",
  "extra_isize",
  "metadata_csum",
  "metadata_csum_seed",
  "resize_inode",
].join(",");

/** Everything that mke2fs would otherwise draw or read from the clock. The device draws its own UUID and hash seed. */
const UUID = "d0de4a00-0000-8000-8000-000000000001";
const HASH_SEED = "d0de4a00-0000-8000-8000-000000000002";
const EPOCH_SECONDS = "1"; // 0 means "not set" to mke2fs

interface Template {
  readonly name: string;
  readonly mebibytes: number;
  /** The journal never grows, and may take up to half of the file system. */
  readonly journalMebibytes: number;
  /** In each full group of 128 MiB: one for 16 KiB. */
  readonly inodes: number;
  /** Blocks of 4096 bytes that descriptor blocks are reserved for. */
  readonly growsToBlocks: number;
}

const TEMPLATES: readonly Template[] = [
  { name: "state.ext4", mebibytes: 32, journalMebibytes: 8, inodes: 2048, growsToBlocks: 2 ** 18 },
  { name: "ephemeral.ext4", mebibytes: 128, journalMebibytes: 56, inodes: 8192, growsToBlocks: 2 ** 31 },
];

/** Outputs: `state.ext4`, `ephemeral.ext4`. */
export function volumeTemplatesAction(toolbox: Toolbox): CommandAction {
  return {
    kind: "command",
    name: "volume templates",
    inputs: {},
    argv: ["bash", "-c", ["set -eu", ...TEMPLATES.flatMap(makeTemplate)].join("\n")],
    env: { SOURCE_DATE_EPOCH: EPOCH_SECONDS },
    toolbox,
    outputs: TEMPLATES.map(({ name }) => name),
    caches: [],
  };
}

function makeTemplate({ name, mebibytes, journalMebibytes, inodes, growsToBlocks }: Template): readonly string[] {
  const extended = [
    `hash_seed=${HASH_SEED}`,
    "lazy_itable_init=0",
    "lazy_journal_init=0",
    "nodiscard",
    "root_owner=0:0",
    `resize=${growsToBlocks}`,
  ].join(",");
  return [
    `truncate -s ${mebibytes}M ${name}`,
    `mke2fs -q -F -t ext4 -b 4096 -I 256 -m 0 -N ${inodes} -U ${UUID} -O ${FEATURES} -J size=${journalMebibytes} -E ${extended} ${name}`,
  ];
}

/** What volumes and install read on the device, as it lies in the root image. */
export function deviceFiles(templates: Tree, grub: Tree): Tree {
  const file = (from: Tree, name: string): Tree[string] => ({ kind: "file", blob: fileOf(from, name), mode: 0o644 });
  const templateFiles = TEMPLATES.map(
    ({ name }) => [`usr/share/dodeka/volumes/${name}`, file(templates, name)] as const,
  );
  const directories = ["usr/share", "usr/share/dodeka", "usr/share/dodeka/boot", "usr/share/dodeka/volumes"];
  return {
    ...Object.fromEntries(directories.map((path) => [path, { kind: "directory", mode: 0o755 }] as const)),
    ...Object.fromEntries(templateFiles),
    // BIOS boot sector and core image for the disk that is installed to.
    "usr/share/dodeka/boot/boot.img": file(grub, "boot.img"),
    "usr/share/dodeka/boot/core.img": file(grub, "core.img"),
  };
}
