// SPDX-License-Identifier: Apache-2.0
// The QEMU command line of a test machine. Paths are those inside the toolbox.

export type Firmware = "uefi" | "bios";
export type Attachment = "disk" | "cdrom" | "usb" | "nvme" | "ahci";
export type Accelerator = "tcg" | "kvm";

/** A TCP port of the guest, reachable on this host's loopback only. */
export interface PortForward {
  readonly hostPort: number;
  readonly guestPort: number;
}

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
  /** With any, the guest itself reaches nothing but QEMU's own DHCP. */
  readonly forwards: readonly PortForward[];
  /** What the guest writes to the image stays; otherwise it goes to a temporary overlay. */
  readonly keepsChanges: boolean;
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
  forwards: [],
  keepsChanges: false,
};

/** What a boot loader would have put into memory. */
export interface LoadedKernel {
  readonly kernel: string;
  readonly initramfs: string;
  readonly commandLine: string;
}

/** A raw disk behind the socket of an NBD server. */
export interface ServedDisk {
  readonly socket: string;
}

/** A file, or what stands in its place. A kernel that is in memory stands for a boot over the network: without a medium. */
export type MachineImage = string | LoadedKernel | ServedDisk;

export interface MachinePaths {
  readonly image: MachineImage;
  /** A private, writable copy of the firmware's variables. */
  readonly variables: string;
  readonly qmpSocket: string;
  /** A second disk, on virtio and behind the image in boot order; what the guest writes there stays. */
  readonly spareDisk?: string | undefined;
}

export const OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd";
export const OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/**
 * TCG emulates all processors in one thread. With a thread for each, on a busy host, a guest's processor 0 was seen to get
 * no timer interrupts while processor 1 went on, and QEMU 10.0 to end with an assertion (iotlb_to_section).
 */
export const TCG = "tcg,thread=single";

const ACCELERATION: Readonly<Record<Accelerator, string>> = { tcg: TCG, kvm: "kvm" };

/** argv from "qemu-system-x86_64" on. */
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
    ACCELERATION[spec.accelerator],
    "-cpu",
    cpu,
    "-smp",
    "2",
    "-m",
    String(spec.memoryMib),
    ...firmwareArgs(spec.firmware, paths),
    ...driveArgs(spec, paths.image),
    ...spareArgs(paths.spareDisk),
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

function networkArgs({ nic, network, forwards }: MachineSpec): readonly string[] {
  if (nic === "none") return ["-nic", "none"];
  // A hub with a single port: what the guest sends reaches nobody.
  const backend = network === "user" ? ["user", ...forwardOptions(forwards)].join(",") : "hubport,hubid=0";
  return ["-nic", `${backend},model=${nic}`];
}

/** A forward needs the host's network inside the sandbox, which the guest must not get with it: hence restrict. */
function forwardOptions(forwards: readonly PortForward[]): readonly string[] {
  if (forwards.length === 0) return [];
  return [
    "restrict=on",
    ...forwards.map(({ hostPort, guestPort }) => `hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`),
  ];
}

function spareArgs(path: string | undefined): readonly string[] {
  if (path === undefined) return [];
  const drive = `if=none,id=spare,format=raw,file=${path},cache=unsafe`;
  return ["-drive", drive, "-device", "virtio-blk-pci,drive=spare,serial=spare"];
}

function driveArgs({ as, sectorBytes, keepsChanges }: MachineSpec, image: MachineImage): readonly string[] {
  if (typeof image !== "string" && "kernel" in image) {
    return ["-kernel", image.kernel, "-initrd", image.initramfs, "-append", image.commandLine];
  }
  const file = typeof image === "string" ? image : `nbd:unix:${image.socket}`;
  const media = as === "cdrom" ? "media=cdrom,readonly=on" : keepsChanges ? "snapshot=off" : "snapshot=on";
  const drive = ["-drive", `if=none,id=image,format=raw,file=${file},${media}`];
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
