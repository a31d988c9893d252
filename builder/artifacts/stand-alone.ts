// SPDX-License-Identifier: Apache-2.0
// Images that boot without a medium: the stand-alone UKI, and the initramfs for PXE. Their initramfs carries the files of
// an ESP, root image included: stage1 boots from them as from a medium, and an installation copies them. The UKI among
// them is that of every other image: a UKI cannot carry itself, and an installed machine needs no root image in memory.
import { bug } from "../errors.ts";
import type { Uki } from "../layout/uki.ts";
import type { PlanCore } from "../plan/core.ts";
import type { CarriedEsp } from "../plan/plan.ts";
import { bootsByGrub, espFiles } from "./boot-files.ts";
import type { Initramfs } from "./initramfs.ts";
import { layoutInitramfs } from "./initramfs.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutUki, layoutUkiWith, placedSections } from "./uki.ts";

interface StandAloneInitramfs {
  readonly layout: Initramfs["layout"];
  /** Offsets within the initramfs. */
  readonly carried: CarriedEsp;
}

/** Without a grub.cfg where GRUB could not boot it: what is installed from there boots under UEFI only. */
export function layoutStandAloneInitramfs(core: PlanCore, parts: SmallParts): StandAloneInitramfs {
  const uki = layoutUki(core, parts);
  const { layout, carried } = layoutInitramfs(core, espFiles(core, uki, bootsByGrub(core)));
  return { layout, carried: { files: carried, uki: placedSections(uki.sections) } };
}

/** Offsets of what it carries are within the UKI. */
export function layoutStandAloneUki(core: PlanCore, parts: SmallParts): { uki: Uki; carried: CarriedEsp } {
  const { layout, carried } = layoutStandAloneInitramfs(core, parts);
  const uki = layoutUkiWith(core, parts, layout);
  const initrd = uki.sections.find((s) => s.name === ".initrd");
  if (initrd === undefined) throw bug("the UKI has no section .initrd");
  const files = carried.files.map((item) => ({ ...item, offset: initrd.offset + item.offset }));
  return { uki, carried: { ...carried, files } };
}
