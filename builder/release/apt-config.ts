// SPDX-License-Identifier: Apache-2.0
// Finds the Debian archive this host already uses, so that the repository names none. Settings come first; then apt's
// *.sources (deb822) and one-line *.list files, of any Debian release: the pool is the same for all of them.
// Other vendors use Debian's suite names too, so only entries with the component main count, and among them those that
// call their folder as Debian does come first. A wrong guess does no harm: digests and signatures decide.
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
  readonly components: readonly string[];
}

const RELEASE = "(?:bullseye|bookworm|trixie|forky|duke|sid|unstable|stable|testing|oldstable)";
const DEBIAN_SUITE = new RegExp(`^${RELEASE}(?:-updates|-backports|-proposed-updates)?$`);
const SECURITY_SUITE = new RegExp(`^${RELEASE}(?:-security|/updates)$`);
const APT_FALSE: ReadonlySet<string> = new Set(["no", "false", "without", "off", "disable"]);

/** Base addresses without a trailing slash. Throws HOST_UNFIT when neither settings nor apt name one. */
export async function findMirrors(settings: Settings, aptDir: string = "/etc/apt"): Promise<Mirrors> {
  const sources = await readSources(aptDir);
  const pick = (pattern: RegExp, folder: RegExp): string | undefined => {
    const fitting = sources.filter((s) => pattern.test(s.suite) && s.components.includes("main"));
    return (fitting.find((s) => folder.test(s.uri)) ?? fitting[0])?.uri;
  };
  return {
    debian: (settings.debianMirror ?? pick(DEBIAN_SUITE, /\/debian\/*$/) ?? absent("DODEKA_DEBIAN_MIRROR")).replace(
      /\/+$/,
      "",
    ),
    "debian-security": (
      settings.debianSecurityMirror ??
      pick(SECURITY_SUITE, /\/debian-security\/*$/) ??
      absent("DODEKA_DEBIAN_SECURITY_MIRROR")
    ).replace(/\/+$/, ""),
  };
}

async function readSources(aptDir: string): Promise<readonly Source[]> {
  const names = await readdir(join(aptDir, "sources.list.d")).catch(() => []);
  const files = [
    join(aptDir, "sources.list"),
    ...names
      .filter((n) => /\.(list|sources)$/.test(n)) // apt reads no others: left-overs of upgrades end in .save and the like
      .sort(compareNames)
      .map((n) => join(aptDir, "sources.list.d", n)),
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
    if (APT_FALSE.has(stanza.get("enabled")?.toLowerCase() ?? "") || !words(stanza.get("types")).includes("deb"))
      return [];
    const components = words(stanza.get("components"));
    const suites = words(stanza.get("suites"));
    return words(stanza.get("uris")).flatMap((uri) => suites.map((suite) => ({ uri, suite, components })));
  });
}

function fromLines(text: string): readonly Source[] {
  return text.split("\n").flatMap((line) => {
    const [, uri, suite, rest] = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line) ?? [];
    return uri === undefined || suite === undefined ? [] : [{ uri, suite, components: words(rest) }];
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
