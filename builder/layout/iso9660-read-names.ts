// SPDX-License-Identifier: Apache-2.0
// Decodes the system use fields of a directory record as far as the Rock Ridge name goes, following continuations.
// Spec: SUSP 1.12 sections 4 and 5; RRIP 1.10 section 4.1.4 (NM). Hostile input: continuations are few and short.
import { viewOf } from "./bytes.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";
import { NM_CONTINUE } from "./iso9660-rock-ridge.ts";
import { MAX_NAME_BYTES } from "./iso9660-tree.ts";
import { malformed, readRange } from "./read-at.ts";
import type { ReadableImage } from "./read-at.ts";

const MAX_CONTINUATIONS = 8;
const NM_TEXT = 5; // byte offset in the field

/** `rockRidge` is true in the root's own record; `name` is undefined where no field gives one. */
export interface SystemUseFound {
  readonly rockRidge: boolean;
  readonly name: string | undefined;
}

interface Field {
  readonly signature: string;
  readonly bytes: Uint8Array;
}

/** Decodes the fields in `area` and in its continuations. Throws FORMAT_INVALID when they do not hold together. */
export async function readSystemUse(image: ReadableImage, area: Uint8Array): Promise<SystemUseFound> {
  const names: Uint8Array[] = [];
  let rockRidge = false;
  let complete = true;
  let next: Uint8Array | undefined = area;
  for (let hop = 0; next !== undefined; hop++) {
    if (hop > MAX_CONTINUATIONS)
      throw malformed(image.name, "SUSP CE", hop, `at most ${MAX_CONTINUATIONS} continuations`);
    let continuation: Uint8Array | undefined;
    for (const { signature, bytes } of splitFields(image, next)) {
      if (signature === "SP") rockRidge = isSharing(image, bytes);
      else if (signature === "CE") continuation = bytes;
      else if (signature === "NM") {
        names.push(bytes.subarray(NM_TEXT));
        complete = ((bytes[4] ?? 0) & NM_CONTINUE) === 0;
      }
    }
    next = continuation === undefined ? undefined : await readContinuation(image, continuation);
  }
  if (!complete) throw malformed(image.name, "RRIP NM", "a part that says it goes on", "the rest of the name");
  return { rockRidge, name: names.length === 0 ? undefined : decodeName(image, Buffer.concat(names)) };
}

/** The fields up to the terminator or to where not even a header fits. */
function splitFields(image: ReadableImage, area: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  while (at + 4 <= area.length) {
    const signature = Buffer.from(area.subarray(at, at + 2)).toString("latin1");
    const length = area[at + 2] ?? 0;
    if (signature === "ST" || signature === "\0\0") break;
    if (length < 4 || at + length > area.length)
      throw malformed(image.name, "SUSP field", length, "a length that fits");
    fields.push({ signature, bytes: area.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

function isSharing(image: ReadableImage, field: Uint8Array): boolean {
  const valid = field.length === 7 && field[4] === 0xbe && field[5] === 0xef;
  if (valid && field[6] !== 0) throw malformed(image.name, "SUSP SP", field[6], "no bytes to skip");
  return valid;
}

async function readContinuation(image: ReadableImage, field: Uint8Array): Promise<Uint8Array> {
  if (field.length !== 28) throw malformed(image.name, "SUSP CE", field.length, "28 bytes");
  const view = viewOf(field);
  const [block, offset, length] = [view.getUint32(4, true), view.getUint32(12, true), view.getUint32(20, true)];
  if (offset + length > BLOCK_BYTES)
    throw malformed(image.name, "SUSP CE", offset + length, "an area within one block");
  return readRange(image, "SUSP CE", block * BLOCK_BYTES + offset, length);
}

function decodeName(image: ReadableImage, bytes: Uint8Array): string {
  if (bytes.length > MAX_NAME_BYTES)
    throw malformed(image.name, "RRIP NM", bytes.length, `at most ${MAX_NAME_BYTES} bytes`);
  const name = Buffer.from(bytes).toString("utf8");
  if (!Buffer.from(name).equals(bytes)) throw malformed(image.name, "RRIP NM", name, "a name in UTF-8");
  return name;
}
