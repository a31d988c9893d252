// SPDX-License-Identifier: Apache-2.0
// Go binaries as components: what each binary says of itself, and the licences of its modules from the sources that it
// was compiled from.
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Component } from "../../sbom/inventory.ts";
import type { GoBuildInfo, GoModule } from "../../sbom/go-buildinfo.ts";
import { parseDebianCopyright } from "../../sbom/dep5.ts";
import { copyrightLines, licenceRef, recogniseLicenceText } from "../../sbom/licence-names.ts";
import { cpe, genericPurl, golangPurl } from "../../sbom/package-url.ts";

const MAX_LICENCE_BYTES = 1024 * 1024;
const LICENCE_FILE = /^(un)?licen[cs]e|^copying/i;
/** Where the toolbox's Go keeps its copyright file, the standard library's included. */
const GO_COPYRIGHT = /^golang-1\.\d+-go$/;

export interface GoSources {
  /** A module cache as `go mod download` makes it. */
  readonly moduleCache: string;
  /** Root of the toolbox that holds the compiler. */
  readonly toolboxRoot: string;
  /** The modules that are ours have the release's version. */
  readonly version: string;
}

export interface DescribedModules {
  readonly components: readonly Component[];
  readonly texts: Readonly<Record<string, string>>;
}

/** The component of a binary; its modules and the standard library are dependencies by id. */
export function goBinary(info: GoBuildInfo, name: string, digest: Sha256, version: string): Component {
  const { main, modules, goVersion, settings } = info;
  return {
    id: `binary:${name}`,
    kind: "application",
    name,
    version: main.version === "(devel)" ? version : main.version,
    description: `Go program ${info.path}`,
    supplier: "",
    licence: "Apache-2.0",
    copyrights: [],
    purl: genericPurl(`dodeka-${name}`, version),
    cpe: null,
    sha256: digest,
    dependsOn: [...modules.map(({ path, version: v }) => golangPurl(path, v)), stdlibId(goVersion)].sort(),
    facts: {
      "go:main-module": main.path,
      "go:package": info.path,
      "go:version": goVersion,
      ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`go:build:${key}`, value])),
    },
  };
}

/** Every module of the binaries, once, with its licence. Throws FORMAT_INVALID for a module without a licence file. */
export async function describeGoModules(
  binaries: readonly GoBuildInfo[],
  sources: GoSources,
): Promise<DescribedModules> {
  const modules = new Map(binaries.flatMap((b) => b.modules).map((m) => [golangPurl(m.path, m.version), m]));
  const described = await Promise.all([...modules.values()].map((m) => describeModule(m, sources)));
  const versions = [...new Set(binaries.map((b) => b.goVersion))];
  const libraries = await Promise.all(versions.map((v) => describeStdlib(v, sources)));
  const all = [...described, ...libraries];
  return {
    components: all.map((d) => d.component),
    texts: Object.assign({}, ...all.map((d) => d.texts)) as Record<string, string>,
  };
}

interface Described {
  readonly component: Component;
  readonly texts: Readonly<Record<string, string>>;
}

async function describeModule(module: GoModule, { moduleCache }: GoSources): Promise<Described> {
  const { path, version, sum } = module;
  const dir = join(moduleCache, `${escapeModule(path)}@${escapeModule(version)}`);
  const names = await readdir(dir).catch(() => []);
  const files = names.filter((name) => LICENCE_FILE.test(name)).sort();
  const found = await Promise.all(files.map((name) => readText(join(dir, name))));
  if (found.length === 0) throw noLicence(module, names.length === 0 ? "no such folder in the module cache" : "none");
  const texts: Record<string, string> = {};
  const ids = found.map((text, i) => {
    const known = recogniseLicenceText(text);
    if (known !== undefined) return known;
    const ref = licenceRef(`go-${path}-${version}${i === 0 ? "" : `-${i}`}`);
    texts[ref] = text;
    return ref;
  });
  const purl = golangPurl(path, version);
  const component: Component = {
    id: purl,
    kind: "library",
    name: path,
    version,
    description: "Go module",
    supplier: "",
    licence: [...new Set(ids)].sort().join(" AND "),
    copyrights: [...new Set(found.flatMap(copyrightLines))],
    purl,
    cpe: null,
    sha256: null,
    dependsOn: [],
    facts: { "go:sum": sum },
  };
  return { component, texts };
}

async function describeStdlib(goVersion: string, { toolboxRoot }: GoSources): Promise<Described> {
  const docs = join(toolboxRoot, "usr/share/doc");
  const name = (await readdir(docs)).find((n) => GO_COPYRIGHT.test(n));
  const text = name === undefined ? "" : await readText(join(docs, name, "copyright"));
  const { expression, copyrights, texts } = parseDebianCopyright("golang", text);
  const version = goVersion.replace(/^go/, "").replace(/ .*$/, "");
  const component: Component = {
    id: stdlibId(goVersion),
    kind: "library",
    name: "stdlib",
    version,
    description: "Go's standard library and run time",
    supplier: "",
    licence: expression,
    copyrights,
    purl: golangPurl("stdlib", version),
    cpe: cpe("a", "golang", "go", version),
    sha256: null,
    dependsOn: [],
    facts: {},
  };
  return { component, texts };
}

function stdlibId(goVersion: string): string {
  return golangPurl("stdlib", goVersion.replace(/^go/, "").replace(/ .*$/, ""));
}

/** Module caches write upper case as "!" and lower case (golang.org/x/mod/module, "Escaped Paths"). */
function escapeModule(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size <= MAX_LICENCE_BYTES) return readFile(path, "utf8");
  const expected = `at most ${MAX_LICENCE_BYTES} bytes`;
  throw new FactoryError({ code: "FORMAT_INVALID", file: path, found: size, expected, fix: "use another version" });
}

function noLicence({ path, version }: GoModule, found: string): FactoryError {
  return new FactoryError({
    code: "FORMAT_INVALID",
    file: "userland/go.mod",
    field: `${path} ${version}`,
    found,
    expected: "a licence file in the module's folder",
    fix: "replace the module by one that says under which licence it is",
  });
}
