// SPDX-License-Identifier: Apache-2.0
// Reads Debian control stanzas ("deb822"): Packages and Release files, and apt's *.sources.
// Spec: Debian Policy 5.1. Left out: the difference between folded and multi-line fields.

export type Stanza = ReadonlyMap<string, string>;

/** The stanzas of `text` in order, field names in lower case. Continuation lines keep their line breaks. */
export function* parseStanzas(text: string): Iterable<Stanza> {
  let fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split("\n")) {
    if (line.trim() === "") {
      if (fields.size > 0) yield fields;
      fields = new Map();
      last = undefined;
    } else if (line.startsWith("#")) continue;
    else if (/^[ \t]/.test(line)) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      last = line.slice(0, colon).toLowerCase();
      fields.set(last, line.slice(colon + 1).trim());
    }
  }
  if (fields.size > 0) yield fields;
}
