// SPDX-License-Identifier: Apache-2.0
// The files that firmware and boot loaders read, the same on the disk's ESP, on the ISO's, and in a stand-alone image.
import { FactoryError } from "../errors.ts";
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { Fat32File } from "../layout/fat32.ts";
import type { PlacedSection, Uki } from "../layout/uki.ts";
import type { PlanCore } from "../plan/core.ts";
import { ukiPath } from "./uki.ts";

/** GRUB addresses bytes of a file in units of 512. */
const GRUB_BLOCK_BYTES = 512;

/** In the order of their bytes: small ones first, then the UKI, then the root image, as booting reads them. */
export function espFiles(core: PlanCore, uki: Uki, hasGrub: boolean = true): readonly Fat32File[] {
  const boot = blobLayout(core.parts["systemd-boot"]);
  const config = hasGrub ? [{ path: "grub/grub.cfg", content: text(renderGrubConfig(core, uki.sections)) }] : [];
  return [
    { path: "EFI/BOOT/BOOTX64.EFI", content: boot },
    { path: "EFI/systemd/systemd-bootx64.efi", content: boot },
    { path: "loader/loader.conf", content: text(LOADER_CONF) },
    ...config,
    { path: ukiPath(core), content: uki.layout },
    { path: `dodeka/${core.root.hash}.root`, content: blobLayout(core.parts.root) },
  ];
}

// The menu shows on a key press only; nobody at the console may change a command line.
const LOADER_CONF = ["timeout 0", "console-mode keep", "editor no", ""].join("\n");

/**
 * grub.cfg for BIOS. It opens the UKI as a disk and loads kernel and initramfs by block lists inside it, so that BIOS
 * boots the very bytes that UEFI boots, wherever the file system put them. Throws PLAN_IMPOSSIBLE for a command line
 * with quotes or backslashes, which GRUB would pass on with backslashes added.
 */
export function renderGrubConfig(core: PlanCore, sections: readonly PlacedSection[]): string {
  if (!bootsByGrub(core)) throw unquotable(core.commandLine);
  return [
    "serial --unit=0 --speed=115200",
    "terminal_input console serial",
    "terminal_output console serial",
    `echo 'Dodeka ${core.version}'`,
    `loopback uki /${ukiPath(core)}`,
    `if linux (uki)${blockList(sections, ".linux")} ${core.commandLine
      .split(" ")
      .map((word) => `'${word}'`)
      .join(" ")}; then`,
    `  if initrd (uki)${blockList(sections, ".initrd")}; then`,
    "    boot",
    "  fi",
    "fi",
    `echo 'dodeka: failed phase=grub reason=the kernel could not be loaded from ${ukiPath(core)}'`,
    "sleep 30",
    "reboot",
    "",
  ].join("\n");
}

/** GRUB adds backslashes to quotes and backslashes in arguments. */
export function bootsByGrub(core: PlanCore): boolean {
  return !/["'\\]/.test(core.commandLine);
}

function blockList(sections: readonly PlacedSection[], name: string): string {
  const section = sections.find((s) => s.name === name);
  if (section === undefined || section.offset % GRUB_BLOCK_BYTES !== 0) {
    throw new FactoryError({
      code: "BUG",
      field: name,
      expected: "a section at a multiple of 512",
      fix: "report this defect",
    });
  }
  return `${section.offset / GRUB_BLOCK_BYTES}+${Math.ceil(section.length / GRUB_BLOCK_BYTES)}`;
}

function text(content: string): ReturnType<typeof bytesLayout> {
  return bytesLayout(Buffer.from(content, "ascii"));
}

function unquotable(commandLine: string): FactoryError {
  return new FactoryError({
    code: "PLAN_IMPOSSIBLE",
    field: "kernelArguments",
    found: commandLine,
    expected: "no quotes and no backslashes in images that BIOS can boot (GRUB adds backslashes to them)",
    fix: "remove the quoted argument, or build only the outputs uki, kernel, initramfs and cmdline",
  });
}
