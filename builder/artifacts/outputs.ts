// SPDX-License-Identifier: Apache-2.0
// Every output kind by name: a plan's core in, layout and description out.
import { blobLayout, bytesLayout } from "../layout/extent.ts";
import type { Identities, PlanCore } from "../plan/core.ts";
import { identitiesOf } from "../plan/core.ts";
import { outputFileName } from "../plan/plan.ts";
import type { OutputKind } from "../profile/model.ts";
import { layoutDisk } from "./disk.ts";
import { layoutIsoImage } from "./iso.ts";
import type { PlannedImages, PlannedOutput } from "./planned.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutStandAloneInitramfs, layoutStandAloneUki } from "./stand-alone.ts";
import { placedSections } from "./uki.ts";

/** Lays out every output of one build. Throws PLAN_IMPOSSIBLE, LAYOUT_OVERFLOW. */
export function planImages(core: PlanCore, kinds: readonly OutputKind[], parts: SmallParts): PlannedImages {
  const identities = identitiesOf(core);
  const outputs = kinds.map((kind) => layoutOutput(kind, core, identities, parts));
  return { plan: { format: 1, seed: identities.seed, core, outputs: outputs.map((o) => o.plan) }, outputs };
}

function layoutOutput(kind: OutputKind, core: PlanCore, identities: Identities, parts: SmallParts): PlannedOutput {
  const file = outputFileName(core, kind);
  switch (kind) {
    case "raw":
      return layoutDisk(core, identities, parts);
    case "iso":
      return layoutIsoImage(core, identities, parts);
    case "uki": {
      const { uki, carried } = layoutStandAloneUki(core, parts);
      return {
        layout: uki.layout,
        plan: { kind, file, size: uki.layout.length, sections: placedSections(uki.sections), carried },
      };
    }
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
