// SPDX-License-Identifier: Apache-2.0
// The UKI: systemd-stub, kernel, initramfs and the command line that carries the root hash. Every image of one plan
// holds the same UKI bytes, with the root image beside it; the stand-alone one has the root image inside.
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { PlacedSection, Uki } from "../layout/uki.ts";
import { assembleUki } from "../layout/uki.ts";
import type { PlanCore } from "../plan/core.ts";
import type { PlacedItem } from "../plan/plan.ts";
import type { RootPlace } from "./initramfs.ts";
import { layoutInitramfs } from "./initramfs.ts";
import type { SmallParts } from "./small-parts.ts";

export function layoutUki(core: PlanCore, parts: SmallParts, root: RootPlace): Uki {
  const text = (content: string): ReturnType<typeof bytesLayout> => bytesLayout(Buffer.from(content, "ascii"));
  return assembleUki({
    stub: parts["uki-stub"],
    nxCompatible: core.kernel.nxCompatible,
    sections: [
      { name: ".osrel", content: bytesLayout(parts["os-release"]) },
      { name: ".cmdline", content: text(core.commandLine) },
      { name: ".uname", content: text(core.kernel.release) },
      { name: ".linux", content: blobLayout(core.parts.kernel) },
      { name: ".initrd", content: layoutInitramfs(core, root) },
    ],
  });
}

/** File name on the ESP (UAPI.1 type 2): versioned, so that two versions lie side by side and the newer sorts first. */
export function ukiPath(core: PlanCore): string {
  return `EFI/Linux/dodeka_${core.version}.efi`;
}

export function placedSections(sections: readonly PlacedSection[]): readonly PlacedItem[] {
  return sections.map(({ name, offset, length }) => ({ name, offset, size: length }));
}
