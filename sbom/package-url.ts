// SPDX-License-Identifier: Apache-2.0
// Names that vulnerability scanners match: package URLs and CPEs.
// Spec: package-url purl-spec and its types deb, golang, npm, generic; NISTIR 7695 (CPE 2.3).
import { PackageURL } from "packageurl-js";

export interface DebianName {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** `linux-signed-amd64`, and its version where that is another than the package's. */
  readonly source: string;
  readonly sourceVersion: string;
}

/** `upstream` is what grype and syft call the source package; Debian's advisories are about source packages. */
export function debianPurl({ name, version, arch, source, sourceVersion }: DebianName): string {
  const hasOwnVersion = sourceVersion !== "" && sourceVersion !== version;
  const upstream =
    source === name && !hasOwnVersion ? {} : { upstream: hasOwnVersion ? `${source}@${sourceVersion}` : source };
  return purl("deb", { namespace: "debian", name, version }, { arch, distro: "debian-13", ...upstream });
}

/** Module paths are split at the last slash; the version keeps its "v", as Go writes it. */
export function golangPurl(path: string, version: string): string {
  const at = path.lastIndexOf("/");
  return purl("golang", { namespace: at < 0 ? undefined : path.slice(0, at), name: path.slice(at + 1), version });
}

export function npmPurl(name: string, version: string): string {
  const [scope, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return purl("npm", { namespace: scope, name: bare ?? name, version });
}

export function genericPurl(name: string, version: string, qualifiers: Readonly<Record<string, string>> = {}): string {
  return purl("generic", { name, version }, qualifiers);
}

interface Named {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version: string;
}

function purl(type: string, named: Named, qualifiers: Readonly<Record<string, string>> = {}): string {
  const { namespace, name, version } = named;
  return new PackageURL(type, namespace, name, version, { ...qualifiers }, undefined).toString();
}

/** A formatted CPE 2.3 name. `part`: a for applications, o for operating systems. */
export function cpe(part: "a" | "o", vendor: string, product: string, version: string): string {
  const value = (text: string): string => text.replaceAll(/[^A-Za-z0-9._-]/g, String.raw`\$&`);
  return `cpe:2.3:${part}:${value(vendor)}:${value(product)}:${value(version)}:*:*:*:*:*:*:*`;
}

/** The upstream part of a Debian version: without epoch, revision, and Debian's own suffixes. */
export function upstreamVersion(version: string): string {
  return version
    .replace(/^\d+:/, "")
    .replace(/-[^-]*$/, "")
    .replace(/[+~](dfsg|ds|deb).*$/, "");
}
