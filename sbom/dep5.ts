// SPDX-License-Identifier: Apache-2.0
// Reads a Debian package's copyright file: which licences apply, who holds the copyright, and the texts of licences that
// have no SPDX identifier. Spec: Debian's machine-readable debian/copyright 1.0 (DEP-5).
// A file in free form becomes one LicenseRef with its whole text: nothing is guessed.
import { licenceRef, recogniseLicenceText, spdxFromDebian } from "./licence-names.ts";

export interface CopyrightFacts {
  /** SPDX expression: all licences that the package's files have, joined by AND. */
  readonly expression: string;
  /** Notices, without duplicates, in order of first appearance. */
  readonly copyrights: readonly string[];
  /** Texts of what stands as LicenseRef-… in the expression. */
  readonly texts: Readonly<Record<string, string>>;
}

const FORMAT = /^Format:\s*\S*copyright-format\/1\.0/im;
const MAX_COPYRIGHTS = 64;
const MAX_LINES = 50_000;

/** `name` is the package's; it names the LicenseRef of a file in free form. */
export function parseDebianCopyright(name: string, text: string): CopyrightFacts {
  if (!FORMAT.test(text)) {
    const ref = licenceRef(`debian-${name}`);
    return { expression: ref, copyrights: freeFormCopyrights(text), texts: { [ref]: text.trim() } };
  }
  const paragraphs = parseParagraphs(text);
  const used = paragraphs.filter((p) => p.has("Files"));
  const terms = new Set<string>();
  const texts: Record<string, string> = {};
  const ref = (short: string): string => {
    const known = /-or-|-with-/i.test(short) ? undefined : recogniseLicenceText(licenceText(paragraphs, short) ?? "");
    if (known !== undefined) return known;
    const id = licenceRef(`debian-${name}-${short}`);
    texts[id] ??= licenceText(paragraphs, short) ?? `${short} (no text in the copyright file of ${name})`;
    return id;
  };
  for (const paragraph of used) {
    const short = firstLine(paragraph.get("License"));
    if (short !== "") terms.add(spdxFromDebian(short, ref));
  }
  const copyrights = new Set(used.flatMap((p) => lines(p.get("Copyright"))));
  return { expression: joinAnd([...terms]), copyrights: [...copyrights].slice(0, MAX_COPYRIGHTS), texts };
}

function joinAnd(terms: readonly string[]): string {
  if (terms.length === 0) return "NOASSERTION";
  if (terms.length === 1) return terms.join("");
  return terms
    .toSorted()
    .map((t) => (/ (OR|AND) /.test(t) ? `(${t})` : t))
    .join(" AND ");
}

type Paragraph = ReadonlyMap<string, string>;

function parseParagraphs(text: string): readonly Paragraph[] {
  const paragraphs: Map<string, string>[] = [];
  let current: Map<string, string> | undefined;
  let key = "";
  for (const line of text.split("\n").slice(0, MAX_LINES)) {
    const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (line.trim() === "") current = undefined;
    else if (field !== null) {
      if (current === undefined) paragraphs.push((current = new Map()));
      key = field[1] ?? "";
      current.set(key, field[2] ?? "");
    } else if (/^\s/.test(line)) current?.set(key, `${current.get(key) ?? ""}\n${line}`);
  }
  return paragraphs;
}

/** The text below the first line, of whichever paragraph has one; a single "." stands for an empty line. */
function licenceText(paragraphs: readonly Paragraph[], short: string): string | undefined {
  const bodies = paragraphs
    .filter((p) => firstLine(p.get("License")) === short)
    .map((p) => (p.get("License") ?? "").split("\n").slice(1));
  const body = bodies.find((b) => b.length > 0);
  return body?.map((line) => (line.trim() === "." ? "" : line.replace(/^ /, ""))).join("\n");
}

function firstLine(value: string | undefined): string {
  return value?.split("\n", 1).join("").trim() ?? "";
}

function lines(value: string | undefined): readonly string[] {
  return (value ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== ".");
}

function freeFormCopyrights(text: string): readonly string[] {
  const found = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /copyright\s+(\(c\)|©|\d{4})/i.test(line));
  return [...new Set(found)].slice(0, MAX_COPYRIGHTS);
}
