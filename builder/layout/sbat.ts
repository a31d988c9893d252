// SPDX-License-Identifier: Apache-2.0
// Merges SBAT revocation data: one header line, then the lines of every component in the image, so that a revocation of
// any of them takes effect. Spec: rhboot/shim SBAT.md, "CSV" section.
import { FactoryError } from "../errors.ts";
import type { Layout } from "./extent.ts";

const LONGEST_BYTES = 65536; // firmware reads a few kilobytes; more is a mistake

/**
 * `own` with the component lines of `extra` behind it. Either may carry its own `sbat,` line; the one of `own` stays.
 * Throws FORMAT_INVALID when one of them is not SBAT: ASCII lines of comma-separated fields, `sbat,` first.
 */
export function mergeSbat(own: Uint8Array, extra: Uint8Array): Uint8Array {
  const [header, ...lines] = sbatLines(own);
  if (header === undefined || !header.startsWith("sbat,")) throw refuse(header ?? "", 'a first line "sbat,…"');
  const more = sbatLines(extra).filter((line) => !line.startsWith("sbat,"));
  const added = more.filter((line) => !lines.includes(line));
  return Buffer.from([header, ...lines, ...added, ""].join("\n"), "latin1");
}

/** The bytes of a layout that holds no blobs. Throws LAYOUT_INVALID for one that does, or is over 64 KiB. */
export function literalBytes(what: string, layout: Layout): Uint8Array {
  if (layout.length > LONGEST_BYTES) throw notLiteral(what, layout.length);
  const out = new Uint8Array(layout.length);
  for (const { offset, source } of layout.extents) {
    if (source.kind === "bytes") out.set(source.bytes, offset);
    else if (source.kind === "blob") throw notLiteral(what, source.digest);
  }
  return out;
}

function sbatLines(bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes).toString("latin1").replace(/\0+$/, "");
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines)
    if (!/^[\x20-\x7e]+,[0-9]+,[\x20-\x7e]*$/.test(line)) throw refuse(line, "name,generation,…");
  return lines;
}

function refuse(found: string, expected: string): FactoryError {
  return new FactoryError({
    code: "FORMAT_INVALID",
    field: "SBAT line",
    found,
    expected,
    fix: "correct the SBAT data",
  });
}

function notLiteral(what: string, found: string | number): FactoryError {
  const expected = `literal bytes, at most ${LONGEST_BYTES}`;
  return new FactoryError({ code: "LAYOUT_INVALID", field: what, found, expected, fix: "pass its text" });
}
