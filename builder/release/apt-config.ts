// SPDX-License-Identifier: Apache-2.0
// Finds the Debian archive this host already uses, so that the repository names none. Settings come first; then apt's
// *.sources (deb822) and one-line *.list files, of any Debian release: the pool is the same for all of them.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { ArchiveName } from "./lock.ts";
import { parseStanzas } from "./deb822.ts";
import type { Settings } from "../host/settings.ts";

export type Mirrors = Readonly<Record<ArchiveName, string>>;

interface Source {
  readonly uri: string;
  readonly suite: string;
}

const DEBIAN_SUITE =
  /^(bookworm|trixie|forky|duke|sid|unstable|stable|testing|oldstable)([-/]?(updates|backports|proposed-updates))?$/;
const SECURITY_SUITE = /^[a-z]+(-security|\/updates)$/;

/** Base addresses without a trailing slash. Throws HOST_UNFIT when neither settings nor apt name one. */
export async function findMirrors(settings: Settings, aptDir: string = "/etc/apt"): Promise<Mirrors> {
  const sources = await readSources(aptDir);
  const pick = (pattern: RegExp): string | undefined => sources.find((s) => pattern.test(s.suite))?.uri;
  return {
    debian: (settings.debianMirror ?? pick(DEBIAN_SUITE) ?? absent("DODEKA_DEBIAN_MIRROR")).replace(/\/+$/, ""),
    "debian-security": (
      settings.debianSecurityMirror ??
      pick(SECURITY_SUITE) ??
      absent("DODEKA_DEBIAN_SECURITY_MIRROR")
    ).replace(/\/+$/, ""),
  };
}

async function readSources(aptDir: string): Promise<readonly Source[]> {
  const names = await readdir(join(aptDir, "sources.list.d")).catch(() => []);
  const files = [
    join(aptDir, "sources.list"),
    ...names.sort(compareNames).map((n) => join(aptDir, "sources.list.d", n)),
  ];
  const found: Source[] = [];
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => "");
    found.push(...(file.endsWith(".sources") ? fromStanzas(text) : fromLines(text)));
  }
  return found.filter((s) => /^https?:\/\//.test(s.uri));
}

function fromStanzas(text: string): readonly Source[] {
  return [...parseStanzas(text)].flatMap((stanza) => {
    if (stanza.get("enabled")?.toLowerCase() === "no" || !words(stanza.get("types")).includes("deb")) return [];
    return words(stanza.get("uris")).flatMap((uri) => words(stanza.get("suites")).map((suite) => ({ uri, suite })));
  });
}

function fromLines(text: string): readonly Source[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)/.exec(line);
    return match?.[1] === undefined || match[2] === undefined ? [] : [{ uri: match[1], suite: match[2] }];
  });
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function words(text: string | undefined): readonly string[] {
  return (text ?? "").split(/\s+/).filter((w) => w !== "");
}

function absent(variable: string): never {
  throw new FactoryError({
    code: "HOST_UNFIT",
    file: "/etc/apt",
    field: "archive",
    found: "no Debian archive in apt's configuration",
    expected: `the address of one, or the setting ${variable}`,
    fix: `set ${variable} to the address of a Debian mirror`,
  });
}
