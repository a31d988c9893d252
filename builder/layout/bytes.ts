// SPDX-License-Identifier: Apache-2.0
// Fixed-width fields for on-disk formats. A record is a list of rows [offset, width, value]; the byte order is part
// of the width ("u32le"), so no access to multi-byte numbers is without one.
import { FactoryError } from "../errors.ts";

export type FieldWidth = "u8" | "u16le" | "u16be" | "u32le" | "u32be" | "u64le" | "u64be";

/** One field: name (for errors), byte offset in the record, width and order, value. */
export type NumberField = readonly [name: string, offset: number, width: FieldWidth, value: number | bigint];

const BYTES: Record<FieldWidth, number> = { u8: 1, u16le: 2, u16be: 2, u32le: 4, u32be: 4, u64le: 8, u64be: 8 };

/** Writes each field into `record`. Throws LAYOUT_OVERFLOW, naming `format` and the field, when a value does not fit. */
export function putFields(record: Uint8Array, format: string, fields: readonly NumberField[]): void {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  for (const field of fields) putField(view, format, field);
}

function putField(view: DataView, format: string, [name, offset, width, value]: NumberField): void {
  const bits = BigInt(BYTES[width] * 8);
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw misfit(format, name, value, width);
  const wide = BigInt(value);
  if (wide < 0n || wide >= 1n << bits) throw misfit(format, name, value, width);
  const little = width.endsWith("le");
  if (width === "u8") view.setUint8(offset, Number(wide));
  else if (bits === 16n) view.setUint16(offset, Number(wide), little);
  else if (bits === 32n) view.setUint32(offset, Number(wide), little);
  else view.setBigUint64(offset, wide, little);
}

function misfit(format: string, name: string, value: number | bigint, width: FieldWidth): FactoryError {
  return new FactoryError({
    code: "LAYOUT_OVERFLOW",
    field: `${format} ${name}`,
    found: value,
    expected: `a whole number of ${BYTES[width]} bytes (${width})`,
    fix: "correct the value that leads to it",
  });
}

/** ASCII text as bytes. Throws LAYOUT_INVALID on any character outside 0x20..0x7e, since no format here means one. */
export function asciiBytes(text: string): Uint8Array {
  if (!/^[\x20-\x7e]*$/.test(text)) {
    throw new FactoryError({ code: "LAYOUT_INVALID", found: text, expected: "printable ASCII", fix: "rename it" });
  }
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** A view for reading; say the byte order on every access. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The 16 bytes of an RFC 9562 UUID as text, in textual (big-endian) order. */
export function uuidBytes(uuid: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) {
    throw new FactoryError({ code: "LAYOUT_INVALID", found: uuid, expected: "a lower-case UUID", fix: "correct it" });
  }
  return Uint8Array.from(uuid.replaceAll("-", "").match(/../g) ?? [], (hex) => Number.parseInt(hex, 16));
}
