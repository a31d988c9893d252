// SPDX-License-Identifier: Apache-2.0
// Lists the boot images that an El Torito catalogue names, for verification and comparison.
// Spec: "El Torito" Bootable CD-ROM Format 1.0; UEFI 2.10 section 13.3.2.1. Hostile input: one block of entries.
import { viewOf } from "./bytes.ts";
import { BOOTABLE, CATALOG_ENTRY_BYTES, CATALOG_POINTER, EL_TORITO_ID, FINAL_SECTION_HEADER } from "./el-torito.ts";
import { DESCRIPTOR_TYPE } from "./iso9660-descriptors.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";
import { PRIMARY_BLOCK } from "./iso9660-plan.ts";
import { malformed, readRange } from "./read-at.ts";
import type { ReadableImage } from "./read-at.ts";

const SECTION_HEADER = 0x90;

/** `platform` is 0 for BIOS, 0xef for UEFI; `offset` in bytes; `sectors` of 512 bytes, 0 for "to the end". */
export interface BootImageFound {
  readonly platform: number;
  readonly bootable: boolean;
  readonly sectors: number;
  readonly offset: number;
}

/** The boot images in catalogue order; none when the volume has no boot record. Throws FORMAT_INVALID. */
export async function readBootCatalog(image: ReadableImage): Promise<readonly BootImageFound[]> {
  const record = await readRange(image, "boot record", (PRIMARY_BLOCK + 1) * BLOCK_BYTES, BLOCK_BYTES);
  const id = Buffer.from(record.subarray(7, 7 + EL_TORITO_ID.length)).toString("latin1");
  if (record[0] !== DESCRIPTOR_TYPE.boot || id !== EL_TORITO_ID) return [];
  const block = viewOf(record).getUint32(CATALOG_POINTER, true);
  const catalog = await readRange(image, "boot catalogue", block * BLOCK_BYTES, BLOCK_BYTES);
  checkValidation(image, catalog);
  const platform = catalog[1] ?? 0;
  return [decodeImage(catalog, CATALOG_ENTRY_BYTES, platform), ...decodeSections(image, catalog)];
}

function checkValidation(image: ReadableImage, catalog: Uint8Array): void {
  const view = viewOf(catalog);
  let sum = 0;
  for (let at = 0; at < CATALOG_ENTRY_BYTES; at += 2) sum = (sum + view.getUint16(at, true)) & 0xffff;
  const valid = catalog[0] === 1 && view.getUint16(30, true) === 0xaa55 && sum === 0;
  if (!valid) throw malformed(image.name, "boot catalogue", sum, "a validation entry with sum 0");
}

function decodeSections(image: ReadableImage, catalog: Uint8Array): readonly BootImageFound[] {
  const images: BootImageFound[] = [];
  let at = 2 * CATALOG_ENTRY_BYTES;
  while (at < catalog.length) {
    const indicator = catalog[at] ?? 0;
    if (indicator !== SECTION_HEADER && indicator !== FINAL_SECTION_HEADER) break;
    const count = viewOf(catalog).getUint16(at + 2, true);
    const end = at + (1 + count) * CATALOG_ENTRY_BYTES;
    if (end > catalog.length) throw malformed(image.name, "boot catalogue", count, "entries within one block");
    for (let entry = at + CATALOG_ENTRY_BYTES; entry < end; entry += CATALOG_ENTRY_BYTES) {
      images.push(decodeImage(catalog, entry, catalog[at + 1] ?? 0));
    }
    at = end;
    if (indicator === FINAL_SECTION_HEADER) break;
  }
  return images;
}

function decodeImage(catalog: Uint8Array, at: number, platform: number): BootImageFound {
  const view = viewOf(catalog.subarray(at, at + CATALOG_ENTRY_BYTES));
  return {
    platform,
    bootable: view.getUint8(0) === BOOTABLE,
    sectors: view.getUint16(6, true),
    offset: view.getUint32(8, true) * BLOCK_BYTES,
  };
}
