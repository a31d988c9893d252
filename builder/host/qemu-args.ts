// SPDX-License-Identifier: Apache-2.0
// The QEMU command line of a test machine. Paths are those inside the toolbox.

export type Firmware = "uefi" | "bios";
export type Attachment = "disk" | "cdrom" | "usb" | "nvme" | "ahci";
export type Accelerator = "tcg" | "kvm";

export interface MachineSpec {
  readonly firmware: Firmware;
  /** How the image is attached: virtio disk, CD-ROM on AHCI, USB stick on xHCI, NVMe or SATA disk. */
  readonly as: Attachment;
  readonly sectorBytes: 512 | 4096;
  readonly memoryMib: number;
  readonly accelerator: Accelerator;
  /** No display adapter: the kernel has ttyS0 only. */
  readonly serialOnly: boolean;
  /** Network adapter model, for example virtio-net-pci or e1000e; "none" for a machine without one. */
  readonly nic: string;
  /** `user`: QEMU's own network with DHCP. `silent`: the link is up and nobody answers. */
  readonly network: "user" | "silent";
}

export const DEFAULT_MACHINE: MachineSpec = {
  firmware: "uefi",
  as: "disk",
  sectorBytes: 512,
  memoryMib: 1024,
  accelerator: "tcg",
  serialOnly: false,
  nic: "virtio-net-pci",
  network: "user",
};

export interface MachinePaths {
  readonly image: string;
  /** A private, writable copy of the firmware's variables. */
  readonly variables: string;
  readonly qmpSocket: string;
}

export const OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd";
export const OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/** argv from "qemu-system-x86_64" on. The image is never written: changes go to a temporary overlay. */
export function qemuArgv(spec: MachineSpec, paths: MachinePaths): readonly string[] {
  const cpu = spec.accelerator === "kvm" ? "host" : "max";
  return [
    "qemu-system-x86_64",
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-machine",
    "q35",
    "-accel",
    spec.accelerator,
    "-cpu",
    cpu,
    "-smp",
    "2",
    "-m",
    String(spec.memoryMib),
    ...firmwareArgs(spec.firmware, paths),
    ...driveArgs(spec, paths.image),
    ...networkArgs(spec),
    "-device",
    "virtio-rng-pci",
    "-vga",
    spec.serialOnly ? "none" : "std",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-qmp",
    `unix:${paths.qmpSocket},server=on,wait=off`,
  ];
}

function firmwareArgs(firmware: Firmware, paths: MachinePaths): readonly string[] {
  if (firmware === "bios") return [];
  const flash = (unit: number, file: string, readonly: "on" | "off"): readonly string[] => [
    "-drive",
    `if=pflash,format=raw,unit=${unit},readonly=${readonly},file=${file}`,
  ];
  return [...flash(0, OVMF_CODE, "on"), ...flash(1, paths.variables, "off")];
}

function networkArgs({ nic, network }: MachineSpec): readonly string[] {
  if (nic === "none") return ["-nic", "none"];
  // A hub with a single port: what the guest sends reaches nobody.
  return ["-nic", `${network === "user" ? "user" : "hubport,hubid=0"},model=${nic}`];
}

function driveArgs({ as, sectorBytes }: MachineSpec, image: string): readonly string[] {
  const media = as === "cdrom" ? "media=cdrom,readonly=on" : "snapshot=on";
  const drive = ["-drive", `if=none,id=image,format=raw,file=${image},${media}`];
  const blocks = as === "cdrom" ? "" : `,logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}`;
  const tail = `drive=image,bootindex=0${blocks}`;
  switch (as) {
    case "disk":
      return [...drive, "-device", `virtio-blk-pci,${tail}`];
    case "cdrom":
      return [...drive, "-device", `ide-cd,${tail}`];
    case "usb":
      return [...drive, "-device", "qemu-xhci", "-device", `usb-storage,removable=on,${tail}`];
    case "nvme":
      return [...drive, "-device", `nvme,serial=dodeka,${tail}`];
    case "ahci":
      return [...drive, "-device", `ide-hd,${tail}`];
    default:
      return as satisfies never;
  }
}
