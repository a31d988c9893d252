// SPDX-License-Identifier: Apache-2.0
// Builds GRUB's images for BIOS, once per release. What differs between images (kernel arguments, where the kernel lies)
// is in files of theirs, which grub.cfg reads.
import type { CommandAction } from "./action.ts";
import type { Toolbox } from "./toolbox.ts";

const MODULES_DIR = "/usr/lib/grub/i386-pc";

/** Readers for both media, the Linux loader, and `loopback`, which lets grub.cfg address bytes inside the UKI. */
const COMMON = [
  "biosdisk",
  "linux",
  "loopback",
  "normal",
  "configfile",
  "echo",
  "loadenv",
  "serial",
  "terminal",
  "sleep",
  "reboot",
  "halt",
  "test",
];
const DISK = [...COMMON, "part_gpt", "part_msdos", "fat"];
const CD = [...COMMON, "iso9660", "part_gpt", "part_msdos", "fat"];

/** Outputs: `boot.img`, `boot_hybrid.img`, `core.img` (disk), `cd.img` (El Torito). */
export function grubAction(toolbox: Toolbox): CommandAction {
  // "(,gpt1)": the first GPT partition, which is the ESP, of whatever drive the firmware booted.
  const script = [
    "set -eu",
    `grub-mkimage -O i386-pc -d ${MODULES_DIR} -p '(,gpt1)/grub' -o core.img ${DISK.join(" ")}`,
    `grub-mkimage -O i386-pc-eltorito -d ${MODULES_DIR} -p /grub -o cd.img ${CD.join(" ")}`,
    `cp ${MODULES_DIR}/boot.img ${MODULES_DIR}/boot_hybrid.img .`,
  ];
  return {
    kind: "command",
    name: "grub",
    inputs: {},
    argv: ["bash", "-c", script.join("\n")],
    env: {},
    toolbox,
    outputs: ["boot.img", "boot_hybrid.img", "cd.img", "core.img"],
    caches: [],
  };
}
