// SPDX-License-Identifier: Apache-2.0
// Who owns a file of the OS: found from what the file is, then from where its bytes came. A file that fits no rule has no
// owner, and that stops the release.
import type { Component } from "../../sbom/inventory.ts";
import { NO_OWNER } from "../../sbom/inventory.ts";
import type { GoBuildInfo } from "../../sbom/go-buildinfo.ts";
import { readGoBuildInfo } from "../../sbom/go-buildinfo.ts";
import { licenceRef, spdxFromKernelModule } from "../../sbom/licence-names.ts";
import { findElfSection, isElf } from "../layout/elf.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { FoundFile } from "./evidence-files.ts";
import type { BinaryRules } from "./evidence-go.ts";
import { goBinary } from "./evidence-go.ts";
import type { ModuleInfo } from "./modinfo.ts";
import { readModinfo } from "./modinfo.ts";

export interface OwnerRules extends BinaryRules {
  /** `uname -r`. */
  readonly kernelRelease: string;
  readonly kernelId: string;
  readonly systemId: string;
  /** Owners of files that are recognised by their bytes. */
  readonly byDigest: ReadonlyMap<Sha256, string>;
}

/** What the files turned out to be, by component id. */
export interface FoundComponents {
  readonly binaries: Map<string, { readonly component: Component; readonly info: GoBuildInfo }>;
  readonly modules: Map<string, { readonly info: ModuleInfo; readonly digest: Sha256 }>;
}

/** The owner's id, or NO_OWNER. Adds binaries and kernel modules to `found`. */
export function ownerOf(file: FoundFile, rules: OwnerRules, found: FoundComponents): string {
  if (file.target !== null) return rules.systemId; // links are ours: rootfs.ts draws them
  if (isElf(file.bytes)) return executableOwner(file, rules, found);
  const known = rules.byDigest.get(sha256(file.bytes));
  if (known !== undefined) return known;
  const moduleFolder = `lib/modules/${rules.kernelRelease}/`;
  if (file.path === `${moduleFolder}dodeka.load`) return rules.systemId;
  // Indices of the kernel's modules: modules.dep, modules.alias, modules.builtin.
  return /^modules\.[a-z]+$/.test(file.path.slice(moduleFolder.length)) && file.path.startsWith(moduleFolder)
    ? rules.kernelId
    : NO_OWNER;
}

/** An ELF file that is neither a Go binary nor a kernel module says nothing of its origin, so nobody owns it. */
function executableOwner({ path, bytes }: FoundFile, rules: OwnerRules, found: FoundComponents): string {
  const digest = sha256(bytes);
  const info = readGoBuildInfo(path, bytes);
  if (info !== undefined) {
    const component = goBinary(info, info.path.split("/").at(-1) ?? path, digest, rules);
    const other = found.binaries.get(component.id);
    if (other !== undefined && other.component.sha256 !== digest) return NO_OWNER; // two programs of one name
    found.binaries.set(component.id, { component, info });
    return component.id;
  }
  if (findElfSection(path, bytes, ".modinfo") === undefined) return NO_OWNER;
  const module = readModinfo(path, bytes);
  const id = moduleId(rules.kernelRelease, module.name);
  const other = found.modules.get(id);
  if (other !== undefined && other.digest !== digest) return NO_OWNER;
  found.modules.set(id, { info: module, digest });
  return id;
}

function moduleId(release: string, name: string): string {
  return `kernel-module:${release}/${name}`;
}

/** Kernel modules as components that depend on the kernel and on each other. `texts` receives what LicenseRefs say. */
export function moduleComponents(
  modules: FoundComponents["modules"],
  rules: OwnerRules,
  texts: Record<string, string>,
): readonly Component[] {
  const ref = (claim: string): string => {
    const id = licenceRef(`linux-module-${claim}`);
    texts[id] = `MODULE_LICENSE("${claim}"), as a kernel module claims it`;
    return id;
  };
  return [...modules].map(([id, { info, digest }]) => ({
    id,
    kind: "device-driver",
    name: info.name,
    version: rules.kernelRelease,
    description: "Linux kernel module",
    supplier: "",
    licence: info.license === "" ? "NOASSERTION" : spdxFromKernelModule(info.license, ref),
    copyrights: [],
    purl: null,
    cpe: null,
    sha256: digest,
    dependsOn: [
      rules.kernelId,
      ...info.depends.map((name) => moduleId(rules.kernelRelease, name)).filter((other) => modules.has(other)),
    ].sort(),
    facts: { "linux:module-license": info.license },
  }));
}
