// SPDX-License-Identifier: Apache-2.0
// Every output kind by name: a plan's core in, layout and description out.
import { bug } from "../errors.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import type { BlobRef } from "../layout/digest.ts";
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { Identities, PlanCore } from "../plan/core.ts";
import { identitiesOf } from "../plan/core.ts";
import { outputFileName } from "../plan/plan.ts";
import type { OutputKind } from "../profile/model.ts";
import { layoutDisk } from "./disk.ts";
import { layoutInstaller, measureUki } from "./installer.ts";
import { layoutIsoImage } from "./iso.ts";
import type { PlannedImages, PlannedOutput } from "./planned.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutStandAloneInitramfs, layoutStandAloneUki } from "./stand-alone.ts";
import { placedSections } from "./uki.ts";

/** Lays out every output of one build, of which none is an installer. Throws PLAN_IMPOSSIBLE, LAYOUT_OVERFLOW. */
export function planImages(core: PlanCore, kinds: readonly OutputKind[], parts: SmallParts): PlannedImages {
  return planMeasured(core, kinds, { parts, uki: undefined });
}

/** Lays out every output of one build. Reads the kernel for an installer, and nothing otherwise. Throws likewise. */
export async function planAllImages(
  core: PlanCore,
  kinds: readonly OutputKind[],
  { parts, blobs }: { readonly parts: SmallParts; readonly blobs: BlobSource },
): Promise<PlannedImages> {
  const uki = kinds.includes("installer") ? await measureUki(core, parts, blobs) : undefined;
  return planMeasured(core, kinds, { parts, uki });
}

interface Known {
  readonly parts: SmallParts;
  /** What the UKI was measured to be, where an output needs it. */
  readonly uki: BlobRef | undefined;
}

function planMeasured(core: PlanCore, kinds: readonly OutputKind[], known: Known): PlannedImages {
  const identities = identitiesOf(core);
  const outputs = kinds.map((kind) => layoutOutput(kind, core, identities, known));
  return { plan: { format: 1, seed: identities.seed, core, outputs: outputs.map((o) => o.plan) }, outputs };
}

function layoutOutput(kind: OutputKind, core: PlanCore, identities: Identities, { parts, uki }: Known): PlannedOutput {
  const file = outputFileName(core, kind);
  switch (kind) {
    case "raw":
      return layoutDisk(core, identities, parts);
    case "iso":
      return layoutIsoImage(core, identities, parts);
    case "uki": {
      const { uki: alone, carried } = layoutStandAloneUki(core, parts);
      const { layout, sections } = alone;
      return { layout, plan: { kind, file, size: layout.length, sections: placedSections(sections), carried } };
    }
    case "installer":
      if (uki === undefined) throw bug("an installer was planned without its UKI's digest");
      return layoutInstaller(core, parts, uki);
    case "kernel":
    case "root": {
      const blob = core.parts[kind];
      return { layout: blobLayout(blob), plan: { kind, file, size: blob.size, blob } };
    }
    case "initramfs": {
      const { layout, carried } = layoutStandAloneInitramfs(core, parts);
      return { layout, plan: { kind, file, size: layout.length, carried } };
    }
    case "cmdline": {
      const layout = bytesLayout(Buffer.from(core.commandLine, "ascii"));
      return { layout, plan: { kind, file, size: layout.length, text: core.commandLine } };
    }
    default:
      return kind satisfies never;
  }
}
