// SPDX-License-Identifier: Apache-2.0
// What the lock must hold, by purpose. `dodeka lock` resolves these names against the archive.

export interface PackageGroup {
  readonly name: string;
  /** A toolbox holds the packages and all they depend on; parts are taken as they are. */
  readonly kind: "toolbox" | "parts";
  readonly packages: readonly string[];
  /** Dependencies that no tool here needs at run time: they only serve installation scripts, which never run. */
  readonly without: readonly string[];
}

/** Newest first wins within the first list; backports serve only what the others lack (the Go toolchain). */
export const SUITES = {
  preferred: ["trixie", "trixie-updates", "trixie-security"],
  fallback: ["trixie-backports"],
} as const;

const SHELL = ["base-files", "bash", "bubblewrap", "coreutils"];
const INSTALL_ONLY = ["debconf", "dpkg", "tar", "perl-base", "init-system-helpers", "ucf", "sensible-utils"];

/** Of gcc's dependencies what only sanitizers, profilers and other languages link with. */
const GCC_EXTRAS = [
  "libasan8",
  "libatomic1",
  "libgomp1",
  "libgprofng0",
  "libhwasan0",
  "libitm1",
  "liblsan0",
  "libquadmath0",
  "libtsan2",
  "libubsan1",
  "rpcsvc-proto",
];

export const PACKAGE_GROUPS: readonly PackageGroup[] = [
  {
    name: "compile",
    kind: "toolbox",
    // golang: the userland; gcc to pkgconf: runc's C part; grub: BIOS boot images; squashfs-tools: the root image;
    // e2fsprogs: the empty file systems in it.
    packages: [
      ...SHELL,
      "e2fsprogs",
      "golang-1.27-go",
      "gcc",
      "libc6-dev",
      "libseccomp-dev",
      "pkgconf",
      "grub-common",
      "grub-pc-bin",
      "squashfs-tools",
    ],
    without: [...INSTALL_ONLY, ...GCC_EXTRAS],
  },
  {
    name: "machine",
    kind: "toolbox",
    packages: [...SHELL, "ovmf", "qemu-system-x86", "seabios"],
    without: [...INSTALL_ONLY],
  },
  {
    name: "judges",
    kind: "toolbox",
    // Tools that we did not write and that must accept what we write.
    packages: [
      ...SHELL,
      "binutils",
      "cosign",
      "cpio",
      "cryptsetup-bin",
      "docker-registry",
      "dosfstools",
      "e2fsprogs",
      "faketime",
      "fdisk",
      "gdisk",
      "genisoimage",
      "mtools",
      "oras",
      "python3-cyclonedx-lib",
      "python3-jsonschema",
      "sbsigntool",
      "squashfs-tools",
      "systemd-boot-tools",
      "systemd-container",
      "systemd-ukify",
      "util-linux",
      "xorriso",
      "zstd",
    ],
    without: [...INSTALL_ONLY, "adduser", "default-dbus-system-bus", "dbus-system-bus", "dbus", "systemd-dev"],
  },
  {
    name: "kernel",
    kind: "toolbox",
    // Only builds of the kernel from source fetch these: compiler, what kbuild calls, pahole (dwarves) and Python for BTF.
    packages: [
      ...SHELL,
      "bc",
      "binutils",
      "bison",
      "cpio",
      "diffutils",
      "dwarves",
      "findutils",
      "flex",
      "gawk",
      "gcc",
      "grep",
      "gzip",
      "libc6-dev",
      "libelf-dev",
      "libssl-dev",
      "make",
      "perl-base",
      "python3",
      "sed",
      "tar",
      "xz-utils",
      "zstd",
    ],
    without: ["debconf", "dpkg", "init-system-helpers", "ucf", "sensible-utils"],
  },
  {
    name: "kernel-judges",
    kind: "toolbox",
    // Debian's own opinion of a kernel configuration.
    packages: [...SHELL, "kernel-hardening-checker"],
    without: [...INSTALL_ONLY],
  },
  {
    name: "network-peer",
    kind: "toolbox",
    // The machine at the other end of a test's wires: a DHCP server that we did not write, and a shell for its script.
    // Its files go into an initramfs; nothing runs in a sandbox, so the usual shell is not in it.
    packages: ["busybox-static", "dnsmasq-base"],
    without: [
      ...INSTALL_ONLY,
      "adduser",
      "base-passwd",
      "passwd",
      "dbus",
      "default-dbus-system-bus",
      "dbus-system-bus",
    ],
  },
  { name: "kernel-source", kind: "parts", packages: ["linux-source-6.12"], without: [] },
  { name: "parts", kind: "parts", packages: ["ca-certificates", "linux-image-amd64", "systemd-boot-efi"], without: [] },
];
