// SPDX-License-Identifier: Apache-2.0
// JSON written in pieces, so that what is finished already is copied as bytes and neither read nor written again.

/** Pieces of one JSON text, in order: text, or its UTF-8. */
export type JsonText = readonly (string | Uint8Array)[];

export function jsonValue(value: unknown): JsonText {
  return [JSON.stringify(value)];
}

/** `[a,b,…]` */
export function jsonList(items: readonly JsonText[]): JsonText {
  return ["[", ...items.flatMap((item, i) => (i === 0 ? item : [",", ...item])), "]"];
}

/** What stands between the brackets of a finished list, as one item of another. */
export function itemsOf(list: Uint8Array): readonly JsonText[] {
  return list.length > 2 ? [[list.subarray(1, -1)]] : [];
}

/** The object `text`, which has members already, with one more at its end. */
export function withMember(text: JsonText, name: string, value: JsonText): JsonText {
  const last = text.at(-1) ?? "";
  const open = typeof last === "string" ? last.slice(0, -1) : last.subarray(0, -1); // without "}"
  return [...text.slice(0, -1), open, `,${JSON.stringify(name)}:`, ...value, "}"];
}

/** The object `text`, which has members already, with one more at its start. */
export function afterMember(name: string, value: unknown, text: Uint8Array): JsonText {
  return [`{${JSON.stringify(name)}:${JSON.stringify(value)},`, text.subarray(1)]; // without "{"
}

/** A document's bytes: the text, and a line feed. */
export function documentBytes(text: JsonText): Buffer {
  return Buffer.concat([...text, "\n"].map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}
