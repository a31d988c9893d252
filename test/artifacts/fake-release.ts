// SPDX-License-Identifier: Apache-2.0
// A release of small made-up parts that the layout writers accept: they are shaped like the real ones and do nothing.
// Frozen: the golden plans follow from it.
import { canonicalJson } from "../../builder/plan/canonical-json.ts";
import { createHash } from "node:crypto";
import { putFields } from "../../builder/layout/bytes.ts";
import type { BlobRef, Sha256 } from "../../builder/layout/digest.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { SmallParts } from "../../builder/artifacts/small-parts.ts";
import { SMALL_PARTS } from "../../builder/artifacts/small-parts.ts";
import type { BlobSource } from "../../builder/encode/read-layout.ts";
import type { Part, PartName, Release } from "../../builder/release/manifest.ts";
import type { FileDigests, Inventory } from "../../sbom/inventory.ts";
import { component } from "../sbom/model-samples.ts";
import { patternBytes } from "../layout/layout-image.ts";
import { sampleStub } from "../layout/pe-samples.ts";

export interface FakeRelease {
  readonly release: Release;
  /** Every part's bytes by digest. */
  readonly blobs: ReadonlyMap<Sha256, Uint8Array>;
  readonly small: SmallParts;
  readonly source: BlobSource;
}

const PARTS: Readonly<Record<Exclude<PartName, "inventory">, Uint8Array>> = {
  kernel: patternBytes(100_001, 11),
  "kernel-config": Buffer.from("CONFIG_FAKE=y\n"),
  initramfs: patternBytes(50_003, 12),
  root: patternBytes(40 * 4096, 13),
  "uki-stub": sampleStub(),
  "systemd-boot": patternBytes(9000, 14),
  "grub-boot": grubBoot(),
  "grub-core": grubCore(),
  "grub-cd": patternBytes(12_345, 15),
  "grub-hybrid": grubBoot(),
  "os-release": Buffer.from("ID=dodeka\nVERSION_ID=1.2.3\n"),
};

/** `change` replaces parts, so that a test can see what depends on them. */
export function fakeRelease(change: Partial<Record<PartName, Uint8Array>> = {}): FakeRelease {
  const contents = { ...PARTS, ...change };
  const bytes: Record<PartName, Uint8Array> = { inventory: inventoryOf(contents), ...contents };
  const ref = (name: PartName): BlobRef => ({ digest: sha256(bytes[name]), size: bytes[name].length });
  const names = Object.keys(bytes) as PartName[];
  const partOf = (name: PartName): Part => ({ ...ref(name), licence: "Apache-2.0", origin: [`fake:${name}`] });
  const parts = Object.fromEntries(names.map((name) => [name, partOf(name)])) as Record<PartName, Part>;
  const blobs = new Map(names.map((name) => [sha256(bytes[name]), bytes[name]]));
  return {
    release: {
      format: 1,
      version: "1.2.3",
      arch: "amd64",
      epochSeconds: 1_795_163_400,
      kernel: { flavour: "stock", release: "6.12.0-fake-amd64", nxCompatible: true },
      root: { hash: sha256("a root hash"), dataBlocks: 39 },
      parts,
    },
    blobs,
    small: Object.fromEntries(SMALL_PARTS.map((name) => [name, bytes[name]])) as Record<keyof SmallParts, Uint8Array>,
    source: {
      async *read(digest, offset, length) {
        yield (blobs.get(digest) ?? new Uint8Array()).subarray(offset, offset + length);
      },
    },
  };
}

/** Every part belongs to one component; the images are said to hold no files. */
function inventoryOf(contents: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const system = component("fake:os", { kind: "operating-system" });
  const parts = Object.entries(contents).map(([name, content]) => [name, { ...digestsOf(content), owner: system.id }]);
  const inventory: Inventory = {
    format: 1,
    version: "1.2.3",
    system: system.id,
    parts: Object.fromEntries(parts) as Inventory["parts"],
    files: [],
    components: [system],
    formulation: [],
    licences: {},
    waived: [],
  };
  return Buffer.from(canonicalJson(inventory));
}

/** 512 bytes that pass for GRUB's boot.img and boot_hybrid.img. */
function grubBoot(): Uint8Array {
  const image = patternBytes(512, 16);
  putFields(image, "fake boot.img", [
    ["jump", 0, "u16be", 0xeb63],
    ["driveCheck", 0x66, "u8", 0xeb],
    ["signature", 510, "u16be", 0x55aa],
  ]);
  return image;
}

/** Five sectors that pass for a core.img. */
function grubCore(): Uint8Array {
  const image = patternBytes(2500, 17);
  putFields(image, "fake core.img", [
    ["segment", 510, "u16le", 0x820],
    ["listBelow", 496, "u16le", 0],
    ["redundancy", 528, "u32le", 0],
    ["rawLength", 532, "u16le", 0],
  ]);
  return image;
}

function digestsOf(content: Uint8Array): FileDigests {
  return { sha256: sha256(content), sha1: createHash("sha1").update(content).digest("hex"), size: content.length };
}
