// SPDX-License-Identifier: Apache-2.0
// The files that firmware and boot loaders read, the same on the disk's ESP, on the ISO's, and in a stand-alone image.
// A version of the OS is a boot entry: a UKI, and for BIOS a file of GRUB commands with its name. Which entry boots is one
// line in one sector of a file of fixed length, for each loader: a machine that is upgraded overwrites it in place.
import { FactoryError } from "../errors.ts";
import type { BlobRef } from "../layout/digest.ts";
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { Fat32File } from "../layout/fat32.ts";
import type { PlacedSection, Uki } from "../layout/uki.ts";
import type { PlanCore } from "../plan/core.ts";

/** GRUB addresses bytes of a file in units of 512. */
const GRUB_BLOCK_BYTES = 512;
/** The smallest sector: a write of it is done or not. What decides is within it, in both files. */
const LOADER_CONF_BYTES = 512;
/** Fixed by GRUB: grub-core/lib/envblk.c. */
const GRUB_ENVIRONMENT_BYTES = 1024;
const DIGEST_DIGITS = 12;

/**
 * Name of the entry on media and new disks (UAPI.1 type 2). In lower case, as systemd-boot compares names so, and without
 * the sign that begins a boot counter.
 */
export function mediumEntry({ version }: PlanCore): string {
  return `dodeka_${version.replaceAll("+", ".")}`.toLowerCase();
}

/** Name that no other version has, of this number or another: what an upgrade brings lies beside what runs. */
export function upgradeEntry(core: PlanCore, uki: BlobRef): string {
  return `${mediumEntry(core)}_${uki.digest.slice(0, DIGEST_DIGITS)}`;
}

/** In the order of their bytes: small ones first, then the entry's, as booting reads them. */
export function espFiles(core: PlanCore, uki: Uki, hasGrub: boolean = true): readonly Fat32File[] {
  const boot = blobLayout(core.parts["systemd-boot"]);
  const entry = mediumEntry(core);
  const grub = [
    { path: "grub/grub.cfg", content: text(GRUB_CONFIG) },
    { path: "grub/grubenv", content: text(renderGrubEnvironment(entry)) },
  ];
  return [
    { path: "EFI/BOOT/BOOTX64.EFI", content: boot },
    { path: "EFI/systemd/systemd-bootx64.efi", content: boot },
    { path: "loader/loader.conf", content: text(renderLoaderConf(entry)) },
    ...(hasGrub ? grub : []),
    ...entryFiles(core, uki, { entry, hasGrub }),
  ];
}

/** What one version brings: commands for GRUB, UKI, root image. */
export function entryFiles(
  core: PlanCore,
  uki: Uki,
  { entry, hasGrub }: { readonly entry: string; readonly hasGrub: boolean },
): readonly Fat32File[] {
  const commands = hasGrub
    ? [{ path: `grub/${entry}.cfg`, content: text(renderGrubEntry(core, uki.sections, entry)) }]
    : [];
  return [
    ...commands,
    { path: ukiPath(entry), content: uki.layout },
    { path: `dodeka/${core.root.hash}.root`, content: blobLayout(core.parts.root) },
  ];
}

export function ukiPath(entry: string): string {
  return `EFI/Linux/${entry}.efi`;
}

/** The menu shows on a key press only; nobody at the console may change a command line. Spec: loader.conf(5). */
function renderLoaderConf(entry: string): string {
  const lines = ["timeout 0", "console-mode keep", "editor no", `default ${entry}.efi`, ""];
  return lines.join("\n").padEnd(LOADER_CONF_BYTES, "#");
}

/** GRUB's environment block: the entry to boot, and one to try once. Spec: GRUB manual, "The GRUB environment block". */
function renderGrubEnvironment(entry: string): string {
  const lines = ["# GRUB Environment Block", `dodeka_entry=${entry}`, "dodeka_next=", ""];
  return lines.join("\n").padEnd(GRUB_ENVIRONMENT_BYTES, "#");
}

/**
 * grub.cfg for BIOS. An entry that is to be tried is tried only if its mark could be taken away before: a version that
 * does not come up must not be started again and again.
 */
const GRUB_CONFIG = [
  "serial --unit=0 --speed=115200",
  "terminal_input console serial",
  "terminal_output console serial",
  "load_env dodeka_entry dodeka_next",
  'if [ -n "$dodeka_next" ]; then',
  '  set dodeka_try="$dodeka_next"',
  "  set dodeka_next=",
  '  if save_env dodeka_next; then set dodeka_entry="$dodeka_try"; fi',
  "fi",
  'source "$prefix/$dodeka_entry.cfg"',
  "echo 'dodeka: failed phase=grub reason=no version of the system could be started'",
  "sleep 30",
  "reboot",
  "",
].join("\n");

/**
 * GRUB's commands for one entry. They open the UKI as a disk and load kernel and initramfs by block lists inside it, so
 * that BIOS boots the very bytes that UEFI boots, wherever the file system put them. The disk has the entry's name, which
 * GRUB passes on in BOOT_IMAGE: the system learns from there which entry it is. Throws PLAN_IMPOSSIBLE for a command line
 * with quotes or backslashes, which GRUB would pass on with backslashes added.
 */
function renderGrubEntry(core: PlanCore, sections: readonly PlacedSection[], entry: string): string {
  if (!bootsByGrub(core)) throw unquotable(core.commandLine);
  const quoted = core.commandLine.split(" ").map((word) => `'${word}'`);
  return [
    `echo 'Dodeka ${core.version}'`,
    `loopback ${entry} /${ukiPath(entry)}`,
    `if linux (${entry})${blockList(sections, ".linux")} ${quoted.join(" ")}; then`,
    `  if initrd (${entry})${blockList(sections, ".initrd")}; then`,
    "    boot",
    "  fi",
    "fi",
    `echo 'dodeka: failed phase=grub reason=the kernel could not be loaded from ${ukiPath(entry)}'`,
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
