// SPDX-License-Identifier: Apache-2.0
// Everything in an artifact that is worth comparing by name: files with mode, owner, size and digest wherever they are
// (partition, ISO tree, UKI section, initramfs, root image), identifiers, kernel arguments, and predicted PCR values.
// Names that hold a version or a hash are generalised, so that the same file of two releases has the same name.
import { createHash } from "node:crypto";
import type { ReadableImage } from "../layout/read-at.ts";
import { malformed } from "../layout/read-at.ts";
import { isMalformed } from "./malformed.ts";
import { openSpace } from "./open-space.ts";
import { predictPcr11 } from "./pcr11.ts";
import type { Listed, Space } from "./space.ts";
import { imageChunks } from "./sub-image.ts";

export interface Item {
  /** As it is in the artifact. */
  readonly path: string;
  readonly kind: string;
  readonly size: number;
  readonly mode?: string;
  readonly owner?: string;
  readonly target?: string;
  readonly device?: string;
  readonly sha256?: string;
}

export interface Inventory {
  readonly size: number;
  readonly format: string;
  /** By generalised path: `EFI:/EFI/Linux/dodeka_<version>.efi:/.cmdline`. */
  readonly items: ReadonlyMap<string, Item>;
  /** By name, prefixed with the generalised path of the space they belong to. */
  readonly values: ReadonlyMap<string, string>;
  readonly pcr11: ReadonlyMap<string, string>;
}

const MAX_ITEMS = 262_144;
const MOST_TIMES_LARGER = 64; // contents may be this much larger than the artifact, since holes and archives are small
const SPARE_BYTES = 2 ** 30;
const HASH = /\b[0-9a-f]{64}\b/g;

/** Opens and walks the artifact. Each content is hashed once; memory does not depend on its size. */
export async function takeInventory(artifact: ReadableImage): Promise<Inventory> {
  const items = new Map<string, Item>();
  const values = new Map<string, string>();
  const pcr11 = new Map<string, string>();
  let left = MOST_TIMES_LARGER * artifact.length + SPARE_BYTES;
  const visit = async (space: Space, at: string): Promise<void> => {
    const label = generalise(at === "" ? "artifact" : at);
    for (const [name, value] of Object.entries(space.values)) values.set(`${label}: ${name}`, value);
    if (isUki(space)) pcr11.set(label, await predictPcr11(sectionsOf(space)));
    for (const listed of space.listing) {
      const path = listed.path === "" ? at : `${at}${at === "" ? "" : ":/"}${listed.path}`;
      const inner = await listed.inner?.();
      left -= listed.content?.length ?? 0;
      if (left < 0)
        throw malformed(artifact.name, "contents", listed.path, `at most ${MOST_TIMES_LARGER} times its size`);
      const name = generalise(path);
      // Two versions side by side have the same general name: the second keeps its own.
      if (listed.path !== "") items.set(items.has(name) ? path : name, await describe(path, listed, inner));
      if (items.size > MAX_ITEMS) throw malformed(artifact.name, "entries", items.size, `at most ${MAX_ITEMS}`);
      if (inner !== undefined) await visit(inner, path);
    }
  };
  const space = await openSpace(artifact);
  await visit(space, "");
  return { size: artifact.length, format: space.format, items, values, pcr11 };
}

/** A partition is hashed only when nothing is known of what it holds. */
async function describe(path: string, listed: Listed, inner: Space | undefined): Promise<Item> {
  const { kind, size, mode, owner, target, device, content } = listed;
  const isHashed = content !== undefined && (kind !== "partition" || inner?.format === "opaque");
  return {
    path,
    kind,
    size,
    ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, "0") }),
    ...(owner === undefined ? {} : { owner }),
    ...(target === undefined ? {} : { target }),
    ...(device === undefined ? {} : { device }),
    ...(isHashed ? { sha256: await digestOf(content) } : {}),
  };
}

/** What cannot be unpacked is a difference to report and no reason to stop. */
async function digestOf(content: ReadableImage): Promise<string> {
  const hasher = createHash("sha256");
  try {
    for await (const chunk of imageChunks(content)) hasher.update(chunk);
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return `unreadable (${error.message})`;
  }
  return hasher.digest("hex");
}

function isUki(space: Space): boolean {
  return space.format === "pe" && space.listing.some((s) => s.path === ".linux");
}

function sectionsOf(space: Space): ReadonlyMap<string, ReadableImage> {
  return new Map(space.listing.flatMap((s) => (s.content === undefined ? [] : [[s.path, s.content] as const])));
}

/** Hashes, versions of the system and of the kernel become placeholders. */
function generalise(path: string): string {
  return path
    .replace(HASH, "<hash>")
    .replace(/dodeka_[^/:]+?\.efi/g, "dodeka_<version>.efi")
    .replace(/lib\/modules\/[^/:]+/g, "lib/modules/<kernel>");
}
