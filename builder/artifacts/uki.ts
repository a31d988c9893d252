// SPDX-License-Identifier: Apache-2.0
// The UKI: systemd-stub, kernel, initramfs and the command line that carries the root hash. Every image of one plan
// holds the same UKI bytes, with the root image beside it.
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import type { PlacedSection, Uki } from "../layout/uki.ts";
import { assembleUki } from "../layout/uki.ts";
import type { PlanCore } from "../plan/core.ts";
import type { PlacedItem } from "../plan/plan.ts";
import { layoutInitramfs } from "./initramfs.ts";
import type { SmallParts } from "./small-parts.ts";

/** The UKI that lies beside its root image. */
export function layoutUki(core: PlanCore, parts: SmallParts): Uki {
  return layoutUkiWith(core, parts, layoutInitramfs(core, []).layout);
}

export function layoutUkiWith(core: PlanCore, parts: SmallParts, initramfs: Layout): Uki {
  const text = (content: string): ReturnType<typeof bytesLayout> => bytesLayout(Buffer.from(content, "ascii"));
  return assembleUki({
    stub: parts["uki-stub"],
    nxCompatible: core.kernel.nxCompatible,
    sections: [
      { name: ".osrel", content: bytesLayout(parts["os-release"]) },
      { name: ".cmdline", content: text(core.commandLine) },
      { name: ".uname", content: text(core.kernel.release) },
      { name: ".linux", content: blobLayout(core.parts.kernel) },
      { name: ".initrd", content: initramfs },
    ],
  });
}

export function placedSections(sections: readonly PlacedSection[]): readonly PlacedItem[] {
  return sections.map(({ name, offset, length }) => ({ name, offset, size: length }));
}
