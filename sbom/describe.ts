// SPDX-License-Identifier: Apache-2.0
// Plan + inventory + digests -> component model of one artifact. Every named piece, section and file gets an owner, or the
// description fails: nothing that is in an image is left out of its SBOM.
import { createHash } from "node:crypto";
import { FactoryError } from "../builder/errors.ts";
import type { Sha256 } from "../builder/layout/digest.ts";
import { sha256 } from "../builder/layout/digest.ts";
import type { CarriedEsp, OutputPlan, PlacedItem, Plan } from "../builder/plan/plan.ts";
import { planId } from "../builder/plan/plan.ts";
import type { Component, FileDigests, Inventory, InventoryImage } from "./inventory.ts";
import type { ComponentModel, ModelFile } from "./model.ts";
import { artifactPieces, espPiece } from "./pieces.ts";
import { selectComponents, usedLicences } from "./select.ts";

/** What was measured on the artifact. */
export interface ArtifactDigests {
  /** SHA-256 of the whole artifact. */
  readonly digest: Sha256;
  /** By name: each of `artifactPieces(output)`, and `machine-config` when the plan has one. */
  readonly pieces: ReadonlyMap<string, FileDigests>;
}

/** Component ids of what a profile adds. */
export const KERNEL_ARGUMENTS = "kernel-arguments";
export const MACHINE_CONFIG = "machine-config";

interface Describer {
  readonly plan: Plan;
  readonly inventory: Inventory;
  readonly pieces: ReadonlyMap<string, FileDigests>;
}

/** Throws RELEASE_INVALID for content without a known owner. */
export function describeArtifact(
  plan: Plan,
  output: OutputPlan,
  inventory: Inventory,
  artifact: ArtifactDigests,
): ComponentModel {
  const files = outputFiles({ plan, inventory, pieces: artifact.pieces }, output);
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const known = [...inventory.components, ...profileComponents(plan, artifact.pieces)];
  const components = selectComponents(known, new Set(files.map((f) => f.owner)));
  const { core } = plan;
  return {
    artifact: {
      file: output.file,
      kind: output.kind,
      version: core.version,
      platform: core.platform,
      arch: core.arch,
      size: output.size,
      digest: artifact.digest,
      planId: planId(plan),
      epochSeconds: core.epochSeconds,
    },
    components,
    files: sorted,
    formulation: inventory.formulation,
    licences: usedLicences(components, inventory.licences),
    waived: inventory.waived.filter((w) => sorted.some((f) => f.owner === "" && f.path.endsWith(waivedSuffix(w.path)))),
  };
}

/** `root:etc/x` is listed as `…!etc/x`. */
function waivedSuffix(path: string): string {
  return `!${path.slice(path.indexOf(":") + 1)}`;
}

function outputFiles(d: Describer, output: OutputPlan): readonly ModelFile[] {
  switch (output.kind) {
    case "raw":
    case "iso":
      return artifactPieces(output).flatMap((piece) => pieceFiles(d, piece.name, output));
    case "installer":
      return artifactPieces(output).flatMap(({ name }) => bootFiles(d, { name, path: name, uki: output.carried.uki }));
    case "uki":
      return ukiFiles(d, output.file, output);
    case "kernel":
      return [partFile(d, output.file, "kernel")];
    case "root":
      return partFiles(d, output.file, "root");
    case "initramfs":
      return initrdFiles(d, output.file, output.carried);
    case "cmdline":
      return [textFile(output.file, d.plan.core.commandLine, KERNEL_ARGUMENTS)];
    default:
      return output satisfies never;
  }
}

type DiskOutput = Extract<OutputPlan, { kind: "raw" | "iso" }>;

const NOTHING: CarriedEsp = { files: [], uki: [] };
/** What the factory writes itself, whatever the release. */
const SYSTEM_PIECE =
  /^(esp\/loader\/loader\.conf|esp\/grub\/[^/]+\.cfg|esp\/grub\/grubenv|oci\/.*|partition\/META|mbr)$/;

function pieceFiles(d: Describer, name: string, output: DiskOutput): readonly ModelFile[] {
  const patched = patchedPart(name, output);
  if (patched !== undefined) return [leaf(name, measured(d, name), partOf(d, patched).owner)];
  return bootFiles(d, { name, path: name, uki: output.uki });
}

interface BootFile {
  /** Of the piece. */
  readonly name: string;
  /** In the model. */
  readonly path: string;
  /** Sections of the UKI beside it. */
  readonly uki: readonly PlacedItem[];
}

/** A file of an ESP, wherever that is, or a partition without files. */
function bootFiles(d: Describer, { name, path, uki }: BootFile): readonly ModelFile[] {
  const digests = measured(d, name);
  const part = Object.entries(d.inventory.parts).find(([, p]) => p.sha256 === digests.sha256)?.[0];
  if (part !== undefined) return partFiles(d, path, part);
  if (SYSTEM_PIECE.test(name)) return [leaf(path, digests, d.inventory.system)];
  if (!/^esp\/EFI\/Linux\/[^/]+\.efi$/.test(name)) throw unowned(path);
  return [
    { ...leaf(path, digests, d.inventory.system), kind: "container" },
    ...ukiFiles(d, path, { sections: uki, carried: NOTHING }),
  ];
}

/** The part that a piece was made from by patching addresses into it or by padding. */
function patchedPart(name: string, output: DiskOutput): string | undefined {
  switch (name) {
    case "iso/boot/grub-cd.img":
      return "grub-cd";
    case "partition/BIOS":
      return "grub-core";
    case "mbr":
      if (output.kind === "iso") return "grub-hybrid";
      return output.partitions.some((p) => p.name === "BIOS") ? "grub-boot" : undefined; // 4096: no boot code
    default:
      return undefined;
  }
}

/** The stub is listed as it was taken: the UKI's headers are the stub's with more sections in their table. */
function ukiFiles(
  d: Describer,
  path: string,
  { sections, carried }: { readonly sections: readonly PlacedItem[]; readonly carried: CarriedEsp },
): readonly ModelFile[] {
  const stub = partFile(d, `${path}!stub`, "uki-stub");
  return [stub, ...sections.flatMap(({ name }) => sectionFiles(d, `${path}!${name}`, name, carried))];
}

function sectionFiles(d: Describer, path: string, section: string, carried: CarriedEsp): readonly ModelFile[] {
  switch (section) {
    case ".osrel":
      return [partFile(d, path, "os-release")];
    case ".cmdline":
      return [textFile(path, d.plan.core.commandLine, KERNEL_ARGUMENTS)];
    case ".uname":
      return [textFile(path, d.plan.core.kernel.release, partOf(d, "kernel").owner)];
    case ".linux":
      return [partFile(d, path, "kernel")];
    case ".initrd":
      return initrdFiles(d, path, carried);
    case ".sbat":
      return []; // within the stub
    default:
      throw unowned(path);
  }
}

function initrdFiles(d: Describer, path: string, carried: CarriedEsp): readonly ModelFile[] {
  const base = partFiles(d, `${path}!base`, "initramfs");
  const esp = carried.files
    .map((file) => espPiece(file.name))
    .flatMap((name) => bootFiles(d, { name, path: `${path}!${name}`, uki: carried.uki }));
  if (d.plan.core.machineConfig === null) return [...base, ...esp];
  return [...base, ...esp, leaf(`${path}!dodeka/machine-config`, measured(d, MACHINE_CONFIG), MACHINE_CONFIG)];
}

/** A part; when it is one of the images, the files in it too. */
function partFiles(d: Describer, path: string, part: string): readonly ModelFile[] {
  const file = partFile(d, path, part);
  const image: InventoryImage | undefined = part === "root" || part === "initramfs" ? part : undefined;
  if (image === undefined) return [file];
  const inside = d.inventory.files
    .filter((f) => f.image === image)
    .map(({ path: name, mode, target, owner, sha256: strong, sha1, size }): ModelFile => {
      return { path: `${path}!${name}`, kind: "leaf", mode, target, owner, sha256: strong, sha1, size };
    });
  return [{ ...file, kind: "container" }, ...inside];
}

function partFile(d: Describer, path: string, part: string): ModelFile {
  const { owner, ...digests } = partOf(d, part);
  return leaf(path, digests, owner);
}

function partOf(d: Describer, part: string): Inventory["parts"][string] {
  const found = d.inventory.parts[part];
  const planned = (d.plan.core.parts as Readonly<Record<string, { readonly digest: Sha256 }>>)[part];
  if (found !== undefined && found.sha256 === planned?.digest) return found;
  throw new FactoryError({
    code: "RELEASE_INVALID",
    field: `parts.${part}`,
    found: found?.sha256,
    expected: `the plan's part ${planned?.digest ?? part}`,
    fix: "describe the artifact by the inventory of the release that it was made from",
  });
}

function textFile(path: string, text: string, owner: string): ModelFile {
  return leaf(path, textDigests(text), owner);
}

function textDigests(text: string): FileDigests {
  return { sha256: sha256(text), sha1: createHash("sha1").update(text).digest("hex"), size: Buffer.byteLength(text) };
}

function leaf(path: string, digests: FileDigests, owner: string): ModelFile {
  return { path, kind: "leaf", mode: null, target: null, owner, ...digests };
}

function measured(d: Describer, name: string): FileDigests {
  const found = d.pieces.get(name);
  if (found !== undefined) return found;
  throw new FactoryError({ code: "BUG", field: name, expected: "digests of each piece", fix: "report this defect" });
}

/** Kernel arguments and machine configuration, by digest only: they may hold secrets. */
function profileComponents({ core }: Plan, pieces: ReadonlyMap<string, FileDigests>): readonly Component[] {
  const data = (id: string, description: string, digest: Sha256): Component => ({
    id,
    kind: "data",
    name: id,
    version: digest.slice(0, 12),
    description,
    supplier: "",
    licence: "NOASSERTION",
    copyrights: [],
    purl: null,
    cpe: null,
    sha256: digest,
    dependsOn: [],
    facts: {},
  });
  const config = pieces.get(MACHINE_CONFIG);
  return [
    data(KERNEL_ARGUMENTS, "kernel command line of this image", sha256(core.commandLine)),
    ...(config === undefined ? [] : [data(MACHINE_CONFIG, "embedded machine configuration", config.sha256)]),
  ];
}

function unowned(path: string): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    field: path,
    found: "no owner",
    expected: "a component that owns each part of an image",
    fix: "say in sbom/describe.ts whose it is",
  });
}
