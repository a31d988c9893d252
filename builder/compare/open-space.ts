// SPDX-License-Identifier: Apache-2.0
// Opens an image as whatever its first bytes say it is. What looks like a format and cannot be read stays opaque, with
// the reason among its values, so that a damaged image can still be named down to the damage.
import { readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import { openFat } from "./fat-space.ts";
import { openGpt } from "./gpt-space.ts";
import { looksLikeInitramfs, openInitramfs } from "./initramfs-space.ts";
import { openIso } from "./iso-space.ts";
import { isMalformed } from "./malformed.ts";
import { openPe } from "./pe-space.ts";
import { openRoot } from "./root-space.ts";
import type { OpenSpace, Space, UnpackBudget } from "./space.ts";
import { opaque } from "./space.ts";

const MAX_DEPTH = 10; // of spaces within each other: a disk's UKI has a file system in an archive in a section
const MAX_UNPACKED_BYTES = 512 << 20; // of an artifact: a few kilobytes can unpack to as much, and many of them lie side by side
const HEAD_BYTES = 34_816; // through the ISO's primary volume descriptor
const ISO_ID = 32_769;

/** Opens an image and, on demand, what it holds. Never throws FORMAT_INVALID. */
export function openSpace(image: ReadableImage): Promise<Space> {
  return opener(0, { left: MAX_UNPACKED_BYTES })(image);
}

function opener(depth: number, budget: UnpackBudget): OpenSpace {
  return async (image) => {
    if (depth > MAX_DEPTH || image.length < 16) return opaque(image);
    try {
      return await recognise(image, opener(depth + 1, budget), budget);
    } catch (error) {
      if (!isMalformed(error)) throw error;
      return opaque(image, { unreadable: error.message });
    }
  };
}

async function recognise(image: ReadableImage, open: OpenSpace, budget: UnpackBudget): Promise<Space> {
  const head = Buffer.from(await readRange(image, "head", 0, Math.min(HEAD_BYTES, image.length)));
  const text = (at: number, length: number): string => head.toString("latin1", at, at + length);
  if (text(ISO_ID, 5) === "CD001") return openIso(image, open);
  for (const sectorBytes of [512, 4096] as const) {
    if (text(sectorBytes, 8) !== "EFI PART") continue;
    return { image, format: "disk", ...(await openGpt(image, sectorBytes, open)) };
  }
  if (text(82, 8) === "FAT32   " && text(510, 2) === "\u0055\u00aa") return openFat(image, open);
  if (text(0, 2) === "MZ") return openPe(image, open);
  if (text(0, 4) === "hsqs") return openRoot(image, budget);
  if (looksLikeInitramfs(head)) return openInitramfs(image, open, budget);
  return opaque(image);
}
