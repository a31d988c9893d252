// SPDX-License-Identifier: Apache-2.0
// What both SBOMs say of a release's components, whatever the artifact: finished JSON by name. It is most of every
// document and the same in all of them, so it is made once for a release and kept.
import { bug } from "../builder/errors.ts";

/** The UTF-8 of one JSON value by name. Names and values are without line feeds. */
export type Texts = ReadonlyMap<string, Uint8Array>;

export const CYCLONEDX_HEAD = "cyclonedx";
export const CYCLONEDX_FORMULATION = "cyclonedx formulation";
export const SPDX_TOOLS = "spdx tools";
export const SPDX_TOOL_RELATIONS = "spdx tool relations";
export const cycloneText = (componentId: string): string => `cyclonedx ${componentId}`;
export const spdxText = (componentId: string): string => `spdx ${componentId}`;
export const licenceText = (ref: string): string => `licence ${ref}`;

/** Throws BUG when there is none. */
export function textNamed(texts: Texts, name: string): Uint8Array {
  const found = texts.get(name);
  if (found === undefined) throw bug(`no text of ${name} was made for this release`);
  return found;
}

/** A file of texts: a line with the name before each line with the JSON. */
export function renderTexts(texts: Texts): Buffer {
  const feed = Buffer.from("\n");
  return Buffer.concat([...texts].flatMap(([name, json]) => [Buffer.from(name), feed, json, feed]));
}

/** Reads what `renderTexts` wrote, which the file's digest vouches for. */
export function parseTexts(bytes: Buffer): Texts {
  const texts = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const name = lineAt(bytes, at);
    const json = lineAt(bytes, at + name.length + 1);
    texts.set(name.toString(), json);
    at += name.length + json.length + 2;
  }
  return texts;
}

function lineAt(bytes: Buffer, start: number): Buffer {
  const end = bytes.indexOf(0x0a, start);
  if (end < 0) throw bug("texts of a release end in the middle of a line");
  return bytes.subarray(start, end);
}
