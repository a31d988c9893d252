// SPDX-License-Identifier: Apache-2.0
// A small release: its inventory, a plan with one output of each kind, and what would be measured on them.
import { createHash } from "node:crypto";
import type { Sha256 } from "../../builder/layout/digest.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { OutputPlan, Plan } from "../../builder/plan/plan.ts";
import type { ArtifactDigests } from "../../sbom/describe.ts";
import type { Component, FileDigests, Inventory, InventoryFile } from "../../sbom/inventory.ts";
import { artifactPieces } from "../../sbom/pieces.ts";

export function digests(text: string): FileDigests {
  return { sha256: sha256(text), sha1: createHash("sha1").update(text).digest("hex"), size: text.length };
}

export function component(id: string, more: Partial<Component> = {}): Component {
  return {
    id,
    kind: "library",
    name: id,
    version: "1",
    description: "",
    supplier: "",
    licence: "Apache-2.0",
    copyrights: [],
    purl: null,
    cpe: null,
    sha256: null,
    dependsOn: [],
    facts: {},
    ...more,
  };
}

const OWNERS: Readonly<Record<string, string>> = {
  kernel: "linux",
  "kernel-config": "linux",
  initramfs: "dodeka",
  root: "dodeka",
  "uki-stub": "systemd",
  "systemd-boot": "systemd",
  "grub-boot": "grub",
  "grub-core": "grub",
  "grub-cd": "grub",
  "grub-hybrid": "grub",
  "os-release": "dodeka",
};

const FILES: readonly (readonly [image: "root" | "initramfs", path: string, owner: string, target: string | null])[] = [
  ["initramfs", "init", "binary:stage1", null],
  ["root", "etc/hosts", "dodeka", "/run/hosts"],
  ["root", "etc/os-release", "dodeka", null],
  ["root", "sbin/init", "binary:init", null],
];

export const INVENTORY: Inventory = {
  format: 1,
  version: "1.0.0",
  system: "dodeka",
  parts: Object.fromEntries(Object.entries(OWNERS).map(([name, owner]) => [name, { ...digests(name), owner }])),
  files: FILES.map(([image, path, owner, target]): InventoryFile => {
    return { image, path, mode: target === null ? 0o755 : 0o777, target, owner, ...digests(`${image} ${path}`) };
  }),
  components: [
    component("binary:init", { kind: "application", dependsOn: ["pkg:golang/golang.org/x/sys@v1"] }),
    component("binary:stage1", { kind: "application", dependsOn: ["pkg:golang/golang.org/x/sys@v1"] }),
    component("dodeka", { kind: "operating-system", dependsOn: ["binary:init", "binary:stage1", "linux"] }),
    component("grub", {
      licence: "LicenseRef-odd AND MIT",
      supplier: "Ann <ann@example.org>",
      copyrights: ["1999 Ann"],
    }),
    component("linux", { kind: "operating-system", cpe: "cpe:2.3:o:linux:linux_kernel:6.12.1:*:*:*:*:*:*:*" }),
    component("pkg:golang/golang.org/x/sys@v1", {
      name: "golang.org/x/sys",
      purl: "pkg:golang/golang.org/x/sys@v1",
      facts: { "go:sum": "h1:abc=" },
    }),
    component("systemd", { sha256: sha256("systemd.deb") }),
    component("unused"),
  ],
  formulation: [
    component("pkg:generic/dodeka-factory@1.0.0", { purl: "pkg:generic/dodeka-factory@1.0.0" }),
    component("pkg:npm/yaml@2", { purl: "pkg:npm/yaml@2", licence: "NOASSERTION", sha256: sha256("yaml") }),
  ],
  licences: { "LicenseRef-odd": "Do as you like.", "LicenseRef-unused": "No." },
  waived: [],
};

const MIB = 1024 * 1024;
const guid = "00000000-0000-8000-8000-000000000000";
const partition = (name: string, offset: number, size: number) => ({ name, typeGuid: guid, guid, offset, size });
const SECTIONS = [".sbat", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"];
const uki = SECTIONS.map((name, i) => ({ name, offset: i * 4096, size: 4096 }));
const esp = {
  volumeId: 1,
  label: "X",
  clusterBytes: 512,
  files: [
    "EFI/BOOT/BOOTX64.EFI",
    "loader/loader.conf",
    "grub/grub.cfg",
    "EFI/Linux/dodeka_1.0.0.efi",
    "dodeka/r.root",
  ].map((name, i) => ({ name, offset: i * 4096, size: 4096 })),
};

const carried = { files: esp.files, uki };

export const OUTPUTS: readonly OutputPlan[] = [
  {
    kind: "raw",
    file: "metal-amd64.raw",
    size: 4 * MIB,
    sectorBytes: 512,
    diskGuid: guid,
    partitions: [partition("EFI", MIB, MIB), partition("BIOS", 2 * MIB, MIB), partition("META", 3 * MIB, MIB)],
    esp,
    uki,
  },
  {
    kind: "iso",
    file: "metal-amd64.iso",
    size: 2 * MIB,
    volumeId: "X",
    diskGuid: guid,
    partitions: [partition("EFI", MIB, MIB)],
    esp,
    files: [
      { name: "boot/grub-cd.img", offset: 65_536, size: 4096 },
      { name: "loader/loader.conf", offset: MIB + 4096, size: 4096 },
    ],
    uki,
  },
  { kind: "uki", file: "metal-amd64-uki.efi", size: 8192, sections: uki, carried },
  { kind: "kernel", file: "kernel-amd64", size: 6, blob: blob("kernel") },
  { kind: "initramfs", file: "initramfs-amd64.xz", size: 13, carried },
  { kind: "cmdline", file: "cmdline-metal-amd64", size: 5, text: "quiet" },
  { kind: "root", file: "root-amd64.img", size: 4, blob: blob("root") },
];

function blob(name: string): { readonly digest: Sha256; readonly size: number } {
  return { digest: sha256(name), size: name.length };
}

export const PLAN: Plan = {
  format: 1,
  seed: sha256("seed"),
  core: {
    version: "1.0.0",
    platform: "metal",
    arch: "amd64",
    epochSeconds: 1_795_140_670,
    kernel: { release: "6.12.1", nxCompatible: true },
    root: { hash: sha256("verity"), dataBlocks: 1 },
    parts: Object.fromEntries(Object.keys(OWNERS).map((name) => [name, blob(name)])) as Plan["core"]["parts"],
    commandLine: "quiet",
    machineConfig: null,
    disk: { espBytes: MIB, sectorBytes: 512 },
  },
  outputs: OUTPUTS,
};

const CONTENT: Readonly<Record<string, string>> = {
  "esp/EFI/BOOT/BOOTX64.EFI": "systemd-boot",
  "esp/dodeka/r.root": "root",
};

/** What measuring the artifact would give. */
export function measure(output: OutputPlan): ArtifactDigests {
  const pieces = artifactPieces(output).map(
    ({ name }) => [name, digests(CONTENT[name] ?? `bytes of ${name}`)] as const,
  );
  return { digest: sha256(output.file), pieces: new Map(pieces) };
}

export function outputOf(kind: OutputPlan["kind"]): OutputPlan {
  const found = OUTPUTS.find((o) => o.kind === kind);
  if (found === undefined) throw new Error(`no sample of ${kind}`);
  return found;
}
