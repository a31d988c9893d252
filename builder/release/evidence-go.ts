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
  /** Module caches as `go mod download` makes them. */
  readonly moduleCaches: readonly string[];
  /** Root of the toolbox that holds the compiler. */
  readonly toolboxRoot: string;
  /** The modules that are ours have the release's version. */
  readonly version: string;
}

export interface DescribedModules {
  readonly components: readonly Component[];
  readonly texts: Readonly<Record<string, string>>;
}

/** CPE vendor and product by module, where the National Vulnerability Database has one. */
const CPE_NAMES: Readonly<Record<string, readonly [vendor: string, product: string]>> = {
  "github.com/containerd/containerd/v2": ["linuxfoundation", "containerd"],
  "github.com/opencontainers/runc": ["linuxfoundation", "runc"],
  "k8s.io/kubernetes": ["kubernetes", "kubernetes"],
};

/** What every binary of a release has in common. */
export interface BinaryRules {
  /** Of the release. */
  readonly version: string;
  /** Ids of the C libraries that binaries with cgo are linked with. */
  readonly linkedIds: readonly string[];
}

/**
 * The component of a binary; its modules, the standard library and linked C libraries are dependencies by id. A program of
 * upstream has its module's version and, once describeGoModules knows it, licence.
 */
export function goBinary(info: GoBuildInfo, name: string, digest: Sha256, rules: BinaryRules): Component {
  const { main, goVersion, settings } = info;
  const upstream = isUpstream(info);
  const version = upstream ? main.version : rules.version;
  const bare = version.replace(/^v/, "");
  const known = CPE_NAMES[main.path];
  const linked = settings["CGO_ENABLED"] === "1" ? rules.linkedIds : [];
  const modules = linkedModules(info).map((m) => golangPurl(m.path, m.version));
  return {
    id: `binary:${name}`,
    kind: "application",
    name,
    version,
    description: `Go program ${info.path}`,
    supplier: "",
    licence: upstream ? "NOASSERTION" : "Apache-2.0",
    copyrights: [],
    purl: upstream ? genericPurl(name, bare) : genericPurl(`dodeka-${name}`, version),
    cpe: known === undefined ? null : cpe("a", ...known, bare),
    sha256: digest,
    dependsOn: [...modules, stdlibId(goVersion), ...linked].sort(),
    facts: {
      "go:main-module": main.path,
      "go:package": info.path,
      "go:version": goVersion,
      ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`go:build:${key}`, value])),
    },
  };
}

/** A main module with a version came out of the module cache, not out of this checkout. */
function isUpstream({ main }: GoBuildInfo): boolean {
  return main.version !== "(devel)";
}

/** Every module of others: the main one too, without folders of ours that stand in the place of a module. */
function linkedModules(info: GoBuildInfo): readonly GoModule[] {
  const modules = info.modules.filter((m) => !m.path.startsWith("./"));
  return isUpstream(info) ? [info.main, ...modules] : modules;
}

/** A binary of upstream gets the licence of the module that it is built from. */
export function withModuleLicence(binary: Component, { main }: GoBuildInfo, modules: readonly Component[]): Component {
  const module = modules.find(({ id }) => id === golangPurl(main.path, main.version));
  return module === undefined ? binary : { ...binary, licence: module.licence, copyrights: module.copyrights };
}

/** Every module of the binaries, once, with its licence. Throws FORMAT_INVALID for a module without a licence file. */
export async function describeGoModules(
  binaries: readonly GoBuildInfo[],
  sources: GoSources,
): Promise<DescribedModules> {
  const modules = new Map(binaries.flatMap(linkedModules).map((m) => [golangPurl(m.path, m.version), m]));
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

async function describeModule(module: GoModule, { moduleCaches }: GoSources): Promise<Described> {
  const { path, version, sum } = module;
  const { dir, names } = await moduleFolder(module, moduleCaches);
  const files = names.filter((name) => LICENCE_FILE.test(name)).sort();
  const found = await Promise.all(files.map((name) => readText(join(dir, name))));
  if (found.length === 0) throw noLicence(module, names.length === 0 ? "no such folder in the module caches" : "none");
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

/** Where the module lies, and what is in it; the same in each cache that has it, since go.sum decides. */
async function moduleFolder(
  { path, version }: GoModule,
  moduleCaches: readonly string[],
): Promise<{ readonly dir: string; readonly names: readonly string[] }> {
  for (const cache of moduleCaches) {
    const dir = join(cache, `${escapeModule(path)}@${escapeModule(version)}`);
    // A module may have a folder of licences beside the file with its own.
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
    if (entries.length > 0) return { dir, names: entries.filter((e) => e.isFile()).map((e) => e.name) };
  }
  return { dir: "", names: [] };
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
    file: "go.mod",
    field: `${path} ${version}`,
    found,
    expected: "a licence file in the module's folder",
    fix: "replace the module by one that says under which licence it is",
  });
}
