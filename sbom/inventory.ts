// SPDX-License-Identifier: Apache-2.0
// The inventory of a release: every file of the root image and of the base initramfs with its owner, the components that
// own them, and the tools that made them. Compiling collects it once; describing an artifact only reads it.
import { FactoryError } from "../builder/errors.ts";
import type { Sha256 } from "../builder/layout/digest.ts";
import { isSha256 } from "../builder/layout/digest.ts";

/** SHA-1 is there for SPDX 2.3, which demands it of each file. It vouches for nothing. */
export interface FileDigests {
  readonly sha256: Sha256;
  readonly sha1: string;
  /** Bytes. */
  readonly size: number;
}

export type InventoryImage = "root" | "initramfs";

/** A file or a symlink of one of the images; folders and device nodes hold no bytes and are left out. */
export interface InventoryFile extends FileDigests {
  readonly image: InventoryImage;
  /** Relative to the image's root. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Of a symlink; then the digests are those of this text. Null for a file. */
  readonly target: string | null;
  /** Id of the component that it belongs to. */
  readonly owner: string;
}

export type ComponentKind = "operating-system" | "application" | "library" | "firmware" | "device-driver" | "data";

export interface Component {
  /** Unique in a model; a package URL where there is one. */
  readonly id: string;
  readonly kind: ComponentKind;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Empty when nobody is named. */
  readonly supplier: string;
  /** SPDX expression, or NOASSERTION. */
  readonly licence: string;
  readonly copyrights: readonly string[];
  readonly purl: string | null;
  readonly cpe: string | null;
  /** Of the component as one file, where it is one: a package, a binary, a module. */
  readonly sha256: Sha256 | null;
  readonly dependsOn: readonly string[];
  /** Further facts by name, such as a Go module's checksum. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A part of the release as assembly uses it. */
export interface InventoryPart extends FileDigests {
  readonly owner: string;
}

export interface Waiver {
  /** `root:etc/example` */
  readonly path: string;
  readonly reason: string;
}

export interface Inventory {
  readonly format: 1;
  readonly version: string;
  /** Id of the component that is the operating system itself. */
  readonly system: string;
  readonly parts: Readonly<Record<string, InventoryPart>>;
  /** Sorted by image and path. */
  readonly files: readonly InventoryFile[];
  /** Sorted by id. */
  readonly components: readonly Component[];
  /** Compilers, tools and the factory with its libraries. Sorted by id. */
  readonly formulation: readonly Component[];
  /** Texts of the LicenseRefs in use. */
  readonly licences: Readonly<Record<string, string>>;
  /** Files that no component owns, each with the reason why that is let pass. */
  readonly waived: readonly Waiver[];
}

/** The owner of a file that a waiver lets pass. */
export const NO_OWNER = "";

/** Narrows the blob's text, which the release's digest vouches for. Throws RELEASE_INVALID. */
export function parseInventory(text: string, file: string): Inventory {
  let value: Partial<Inventory> | null;
  try {
    value = JSON.parse(text) as Partial<Inventory> | null;
  } catch {
    throw invalid(file, "document", text.slice(0, 40), "JSON");
  }
  if (value?.format !== 1) throw invalid(file, "format", value?.format, "1");
  const lists = [value.files, value.components, value.formulation, value.waived];
  if (!lists.every((list) => Array.isArray(list)) || typeof value.parts !== "object")
    throw invalid(file, "document", Object.keys(value), "files, components, formulation, waived and parts");
  const inventory = value as Inventory;
  const ids = new Set(inventory.components.map((c) => c.id));
  const wrong = inventory.files.find((f) => !isSha256(f.sha256) || (f.owner !== NO_OWNER && !ids.has(f.owner)));
  const part = Object.entries(inventory.parts).find(([, p]) => !isSha256(p.sha256) || !ids.has(p.owner));
  if (part !== undefined) throw invalid(file, `parts.${part[0]}`, part[1].owner, "a SHA-256 and an owner");
  if (wrong !== undefined) throw invalid(file, `${wrong.image}:${wrong.path}`, wrong.owner, "a SHA-256 and an owner");
  return inventory;
}

function invalid(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "RELEASE_INVALID", file, field, found, expected, fix: "run `dodeka release build`" });
}
