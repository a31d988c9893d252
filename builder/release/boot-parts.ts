// SPDX-License-Identifier: Apache-2.0
// Parts that are taken or made without a toolbox: systemd's UEFI programs, the certificate bundle, os-release, and the
// base initramfs.
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { BlobRef } from "../layout/digest.ts";
import { joinCpioArchives, layoutCpio } from "../layout/cpio.ts";
import { bytesLayout } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import { readLayout } from "../encode/read-layout.ts";
import type { Store } from "../host/store.ts";
import { putBytes, readBlob } from "../host/store.ts";
import { readDebFiles } from "./deb-files.ts";
import type { LockedPackage } from "./lock.ts";
import { initramfsArchives } from "./rootfs.ts";
import type { Tree, TreeNode } from "./tree.ts";

const EFI_DIR = "usr/lib/systemd/boot/efi/";
const ZSTD_LEVEL = 19;

/** Outputs: `systemd-boot.efi`, `uki.stub`. */
export async function takeSystemdBoot(store: Store, entry: LockedPackage): Promise<Tree> {
  const wanted: Readonly<Record<string, string>> = {
    "systemd-boot.efi": `${EFI_DIR}systemd-bootx64.efi`,
    "uki.stub": `${EFI_DIR}linuxx64.efi.stub`,
  };
  const files = await readDebFiles(store, entry, (path) => Object.values(wanted).includes(path));
  const nodes = Object.entries(wanted).map(
    async ([name, path]) => [name, await node(store, files.get(path) ?? "")] as const,
  );
  return Object.fromEntries(await Promise.all(nodes));
}

/** Output: `ca-certificates.crt`, the archive's trusted authorities in order of their paths. */
export async function bundleCertificates(store: Store, entry: LockedPackage): Promise<Tree> {
  const files = await readDebFiles(
    store,
    entry,
    (path) => path.startsWith("usr/share/ca-certificates/") && path.endsWith(".crt"),
  );
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    "ca-certificates.crt": await node(store, sorted.map(([, pem]) => `${pem.toString("utf8").trimEnd()}\n`).join("")),
  };
}

/**
 * Output: `initramfs.zst`, two zstd frames with checksums. `init` comes alone in the second: when the checksum of a frame
 * is wrong the kernel has unpacked that frame already, says so and goes on, but it unpacks no further frame. So nothing
 * of a damaged first frame ever runs. That stops accidents, not attackers; those are stopped by the UKI's signature.
 */
export async function packInitramfs(store: Store, stage1: BlobRef, modules: Tree): Promise<Tree> {
  const archives = initramfsArchives(stage1, modules, 0).map((entries) => compress(store, layoutCpio(entries)));
  const frames = joinCpioArchives((await Promise.all(archives)).map((frame) => bytesLayout(frame)));
  return { "initramfs.zst": await node(store, await collect(store, frames)) };
}

async function compress(store: Store, archive: Layout): Promise<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  return promisify(zstdCompress)(await collect(store, archive), { params });
}

async function collect(store: Store, layout: Layout): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of readLayout(layout, { read: (d, o, l) => readBlob(store, d, o, l) })) parts.push(chunk);
  return Buffer.concat(parts);
}

/** os-release(5), as it lies in the image and in the UKI's .osrel. */
export function renderOsRelease(version: string): string {
  return [
    "NAME=Dodeka",
    "ID=dodeka",
    `VERSION_ID=${version}`,
    `PRETTY_NAME="Dodeka ${version}"`,
    "IMAGE_ID=dodeka",
    `IMAGE_VERSION=${version}`,
    "",
  ].join("\n");
}

async function node(store: Store, bytes: Uint8Array | string): Promise<TreeNode> {
  return { kind: "file", blob: await putBytes(store, bytes), mode: 0o644 };
}
