// SPDX-License-Identifier: Apache-2.0
// Encodes the system use fields that give ISO 9660 entries their POSIX names and modes (Rock Ridge).
// Spec: SUSP 1.12 (IEEE P1281) for SP, CE and ER; RRIP 1.10 (IEEE P1282, "RRIP_1991A") for PX and NM.
// Left out: TF (the date of the directory record holds), symbolic links, devices, relocated directories.
import { asciiBytes, putFields } from "./bytes.ts";
import { both32 } from "./iso9660-fields.ts";

export const CONTINUATION_ENTRY_BYTES = 28;
export const NM_CONTINUE = 0x01;
const NM_HEADER_BYTES = 5;
const NM_MAX_TEXT_BYTES = 250; // an entry's length is one byte
const FILE_MODE = 0o100_444;
const DIRECTORY_MODE = 0o040_555;
const EXTENSION_ID = "RRIP_1991A";
const EXTENSION_TEXT = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS";
const EXTENSION_SOURCE =
  "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION.";

/** The fields of one directory record, split where they leave it for a continuation area. */
export interface SystemUse {
  readonly inline: Uint8Array;
  /** Empty when everything fits inline; otherwise the record also holds a CE entry of 28 bytes. */
  readonly overflow: Uint8Array;
}

/** Mode and links of a file, or of a directory with `subdirectories` directories in it. */
export type PosixAttributes =
  { readonly kind: "file" } | { readonly kind: "directory"; readonly subdirectories: number };

/** The fields of an entry named `name`, of which `room` bytes fit into its record. */
export function namedSystemUse(name: string, attributes: PosixAttributes, room: number): SystemUse {
  const posix = encodePx(attributes);
  const names = encodeNm(Buffer.from(name, "utf8"));
  if (posix.length + names.length <= room) return { inline: Buffer.concat([posix, names]), overflow: new Uint8Array() };
  return { inline: posix, overflow: names };
}

/** The fields of `.` and `..`. The root's `.` also says that Rock Ridge is in use. */
export function dotSystemUse(attributes: PosixAttributes, isRootSelf: boolean): SystemUse {
  const posix = encodePx(attributes);
  if (!isRootSelf) return { inline: posix, overflow: new Uint8Array() };
  return { inline: Buffer.concat([encodeSp(), posix]), overflow: encodeEr() };
}

/** CE: where the fields go on. `block` is a logical block, `offset` and `length` are bytes in it. */
export function encodeContinuation(block: number, offset: number, length: number): Uint8Array {
  return encodeEntry("CE", CONTINUATION_ENTRY_BYTES, (out) =>
    putFields(out, "SUSP CE", [
      ...both32("block", 4, block), //                      4..11
      ...both32("offset", 12, offset), //                  12..19  bytes
      ...both32("length", 20, length), //                  20..27  bytes
    ]),
  );
}

function encodeSp(): Uint8Array {
  return encodeEntry("SP", 7, (out) => out.set([0xbe, 0xef, 0], 4)); // check bytes; fields start right after the name
}

function encodePx(attributes: PosixAttributes): Uint8Array {
  const directory = attributes.kind === "directory";
  return encodeEntry("PX", 36, (out) =>
    putFields(out, "RRIP PX", [
      ...both32("mode", 4, directory ? DIRECTORY_MODE : FILE_MODE), //      4..11
      ...both32("links", 12, directory ? 2 + attributes.subdirectories : 1), // 12..19
      ...both32("uid", 20, 0), //                                          20..27
      ...both32("gid", 28, 0), //                                          28..35
    ]),
  );
}

function encodeNm(name: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < name.length; at += NM_MAX_TEXT_BYTES) {
    const text = name.subarray(at, at + NM_MAX_TEXT_BYTES);
    const flags = at + text.length < name.length ? NM_CONTINUE : 0;
    parts.push(
      encodeEntry("NM", NM_HEADER_BYTES + text.length, (out) => {
        out[4] = flags;
        out.set(text, NM_HEADER_BYTES);
      }),
    );
  }
  return Buffer.concat(parts);
}

function encodeEr(): Uint8Array {
  const texts = [EXTENSION_ID, EXTENSION_TEXT, EXTENSION_SOURCE].map(asciiBytes);
  const length = texts.reduce((sum, text) => sum + text.length, 8);
  return encodeEntry("ER", length, (out) => {
    out.set([...texts.map((text) => text.length), 1], 4); //  4..7  lengths of the three texts, extension version
    out.set(Buffer.concat(texts), 8);
  });
}

function encodeEntry(signature: string, length: number, fill: (out: Uint8Array) => void): Uint8Array {
  const out = new Uint8Array(length);
  out.set(asciiBytes(signature)); //           0..1
  putFields(out, `SUSP ${signature}`, [
    ["length", 2, "u8", length], //            2     bytes, header included
    ["version", 3, "u8", 1], //                3
  ]);
  fill(out);
  return out;
}
