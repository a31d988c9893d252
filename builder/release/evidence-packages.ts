// SPDX-License-Identifier: Apache-2.0
// What a Debian package says about itself: control fields and copyright file, as a component of the inventory.
// Spec: Debian policy chapters 5 (control files) and 12.5 (copyright information).
import { FactoryError } from "../errors.ts";
import type { Component } from "../../sbom/inventory.ts";
import { parseDebianCopyright } from "../../sbom/dep5.ts";
import { cpe, debianPurl, upstreamVersion } from "../../sbom/package-url.ts";
import type { Store } from "../host/store.ts";
import { blobPath, putBytes, readWholeBlob } from "../host/store.ts";
import { debEntries } from "./deb.ts";
import { parseStanzas } from "./deb822.ts";
import type { BuiltinStep } from "./compile.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import type { Tree } from "./tree.ts";
import { fileOf } from "./tree.ts";

const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** CPE vendor and product by source package, where the National Vulnerability Database has one. */
const CPE_NAMES: Readonly<Record<string, readonly [vendor: string, product: string]>> = {
  grub2: ["gnu", "grub2"],
  systemd: ["systemd_project", "systemd"],
};

export interface DescribedPackage {
  readonly component: Component;
  /** Texts of the LicenseRefs in its licence. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Reads the package, once for ever. Throws FORMAT_INVALID when it lacks a control or copyright file. */
export async function describePackage(
  store: Store,
  steps: BuiltinStep,
  lock: Lock,
  entry: LockedPackage,
): Promise<DescribedPackage> {
  const facts = await packageFacts(store, steps, entry);
  const [control] = parseStanzas(await textOf(store, facts, "control"));
  const text = await copyrightText(store, steps, { lock, entry, facts });
  const { expression, copyrights, texts } = parseDebianCopyright(entry.name, text);
  const { source, sourceVersion } = sourceOf(entry, control?.get("source") ?? "");
  const purl = debianPurl({ ...entry, source, sourceVersion });
  const named = CPE_NAMES[source];
  const component: Component = {
    id: purl,
    kind: "library",
    name: entry.name,
    version: entry.version,
    description: (control?.get("description") ?? "").split("\n", 1).join(""),
    supplier: control?.get("maintainer") ?? "",
    licence: expression,
    copyrights,
    purl,
    cpe: named === undefined ? null : cpe("a", ...named, upstreamVersion(entry.version)),
    sha256: entry.sha256,
    dependsOn: [],
    facts: { "debian:source": source, "debian:source-version": sourceVersion, "debian:suite": entry.suite },
  };
  return { component, texts };
}

/** `Source: name (version)`; the version is there only when it differs. */
function sourceOf(entry: LockedPackage, field: string): { readonly source: string; readonly sourceVersion: string } {
  const match = /^(\S+)(?:\s+\(([^)]+)\))?/.exec(field);
  return { source: match?.[1] ?? entry.name, sourceVersion: match?.[2] ?? entry.version };
}

/** Outputs: `control`, and `copyright` or, when another package holds it, `copyright-of` with that package's name. */
function packageFacts(store: Store, steps: BuiltinStep, entry: LockedPackage): Promise<Tree> {
  return steps(`facts of ${entry.name}`, entry, null, async () => {
    const deb = blobPath(store, entry.sha256);
    const tree: Record<string, Tree[string]> = {};
    const put = async (name: string, text: string): Promise<void> => {
      tree[name] = { kind: "file", blob: await putBytes(store, text), mode: 0o644 };
    };
    for await (const { path, type, size, content } of debEntries(deb, "control.tar"))
      if (path === "control" && type === "file") await put("control", await readText(entry, path, size, content));
    const folder = `usr/share/doc/${entry.name}`;
    for await (const { path, type, size, content, target } of debEntries(deb)) {
      if (path === folder && type === "symlink") await put("copyright-of", target);
      if (path !== `${folder}/copyright`) continue;
      if (type === "symlink") await put("copyright-of", target.split("/").at(-2) ?? "");
      else if (type === "file") await put("copyright", await readText(entry, path, size, content));
      break;
    }
    return tree;
  });
}

interface CopyrightSource {
  readonly lock: Lock;
  readonly entry: LockedPackage;
  readonly facts: Tree;
}

async function copyrightText(
  store: Store,
  steps: BuiltinStep,
  { lock, entry, facts }: CopyrightSource,
): Promise<string> {
  if (facts["copyright"] !== undefined) return textOf(store, facts, "copyright");
  const other = facts["copyright-of"] === undefined ? "" : await textOf(store, facts, "copyright-of");
  const holder = lock.packages.find((p) => p.name === other && p.name !== entry.name);
  const held = holder === undefined ? undefined : await packageFacts(store, steps, holder);
  if (held?.["copyright"] !== undefined) return textOf(store, held, "copyright");
  throw unreadable(entry, "copyright", other === "" ? "no such file" : `a link to ${other}`);
}

async function textOf(store: Store, tree: Tree, name: string): Promise<string> {
  return Buffer.from(await readWholeBlob(store, fileOf(tree, name).digest)).toString("utf8");
}

async function readText(
  entry: LockedPackage,
  path: string,
  size: number,
  content: AsyncIterable<Uint8Array>,
): Promise<string> {
  if (size > MAX_TEXT_BYTES) throw unreadable(entry, path, `${size} bytes`);
  return Buffer.concat(await Array.fromAsync(content)).toString("utf8");
}

function unreadable(entry: LockedPackage, field: string, found: string): FactoryError {
  return new FactoryError({
    code: "FORMAT_INVALID",
    file: `${entry.name} ${entry.version}`,
    field,
    found,
    expected: `a text of at most ${MAX_TEXT_BYTES} bytes, in the package or in a locked one that it links to`,
    fix: "lock the package that holds it",
  });
}
