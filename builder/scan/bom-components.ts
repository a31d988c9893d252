// SPDX-License-Identifier: Apache-2.0
// The components of an SBOM that a database can know: those with a package URL. CycloneDX and SPDX 2.3, JSON.
// Left out: CPEs, since OSV does not use them; formulation, since toolbox and factory are not in the image.
import { PackageURL } from "packageurl-js";
import { invalidEvidence, isObject, memberAt } from "../evidence/json.ts";

export interface ScanComponent {
  readonly purl: string;
  /** As OSV names it: `Debian:13`, `Go`, `npm`. */
  readonly ecosystem: string;
  /** Of the source package for Debian, since its advisories are about those. */
  readonly name: string;
  readonly version: string;
}

export interface ScanSubjects {
  readonly components: readonly ScanComponent[];
  /** Package URLs of kinds that no ecosystem here stands for: they were not looked up. */
  readonly skipped: readonly string[];
  /** SHA-256 of the artifact that the SBOM says it is about. */
  readonly artifact: string | undefined;
}

const MAX_COMPONENTS = 200_000;
const MAX_LEVELS = 16;

/** Throws EVIDENCE_INVALID for a document of neither kind, and for a malformed package URL. */
export function readScanSubjects(bom: unknown, file: string): ScanSubjects {
  const purls = memberAt(bom, "bomFormat") === "CycloneDX" ? cyclonedxPurls(bom, file) : spdxPurls(bom, file);
  const components: ScanComponent[] = [];
  const skipped: string[] = [];
  for (const purl of new Set(purls)) {
    const found = componentOf(purl, file);
    if (found === undefined) skipped.push(purl);
    else components.push(found);
  }
  return { components, skipped, artifact: artifactDigest(bom) };
}

function cyclonedxPurls(bom: unknown, file: string): readonly string[] {
  const purls: string[] = [];
  const visit = (value: unknown, level: number): void => {
    if (value === undefined) return;
    if (!Array.isArray(value) || level > MAX_LEVELS) throw invalidEvidence(file, "components", typeof value, "a list");
    for (const component of value as unknown[]) {
      const purl = memberAt(component, "purl");
      if (typeof purl === "string") purls.push(purl);
      if (purls.length > MAX_COMPONENTS) throw tooMany(file, purls.length);
      visit(memberAt(component, "components"), level + 1);
    }
  };
  visit(memberAt(bom, "components"), 0);
  return purls;
}

function spdxPurls(bom: unknown, file: string): readonly string[] {
  const packages = memberAt(bom, "packages");
  if (memberAt(bom, "spdxVersion") !== "SPDX-2.3" || !Array.isArray(packages)) {
    throw invalidEvidence(file, "document", isObject(bom) ? Object.keys(bom).slice(0, 5) : typeof bom, "an SBOM");
  }
  if (packages.length > MAX_COMPONENTS) throw tooMany(file, packages.length);
  return packages.flatMap((p: unknown) => {
    const references = memberAt(p, "externalRefs");
    if (!Array.isArray(references)) return [];
    return references.flatMap((reference: unknown) => {
      const locator = memberAt(reference, "referenceLocator");
      return memberAt(reference, "referenceType") === "purl" && typeof locator === "string" ? [locator] : [];
    });
  });
}

function componentOf(purl: string, file: string): ScanComponent | undefined {
  const { type, namespace, name, version, qualifiers } = parsePurl(purl, file);
  if (version === undefined || version === null || version === "") return undefined;
  const full = namespace === undefined || namespace === null ? name : `${namespace}/${name}`;
  switch (type) {
    case "deb":
      return debianComponent(purl, { name, version, qualifiers: { ...qualifiers } });
    case "golang":
      return { purl, ecosystem: "Go", name: full, version: version.replace(/^(v|go)(?=\d)/, "") };
    case "npm":
      return { purl, ecosystem: "npm", name: full, version };
    default:
      return undefined;
  }
}

interface DebianPurl {
  readonly name: string;
  readonly version: string;
  readonly qualifiers: Readonly<Record<string, string>>;
}

/**
 * The source package is in `upstream` (name, or name@version). Signed kernels are rebuilt from a source of their own
 * (linux-signed-amd64); advisories are about linux, in the version that the binary package has.
 */
function debianComponent(purl: string, { name, version, qualifiers }: DebianPurl): ScanComponent {
  const release = /^debian-(\d+)$/.exec(qualifiers["distro"] ?? "")?.[1];
  const ecosystem = release === undefined ? "Debian" : `Debian:${release}`;
  const [source = name, sourceVersion = version] = (qualifiers["upstream"] ?? name).split("@");
  const isSigned = /^(linux|grub2|shim|systemd)-signed(-|$)/.test(source);
  if (!isSigned) return { purl, ecosystem, name: source, version: sourceVersion };
  return { purl, ecosystem, name: source.replace(/-signed.*$/, ""), version };
}

function parsePurl(purl: string, file: string): PackageURL {
  try {
    return PackageURL.fromString(purl);
  } catch {
    throw invalidEvidence(file, "purl", purl, "a package URL");
  }
}

/** CycloneDX names the artifact by the hash of its main component. */
function artifactDigest(bom: unknown): string | undefined {
  const hashes = memberAt(bom, "metadata.component.hashes");
  if (!Array.isArray(hashes)) return undefined;
  const found: unknown = hashes.find((h) => memberAt(h, "alg") === "SHA-256");
  const content = memberAt(found, "content");
  return typeof content === "string" ? content : undefined;
}

function tooMany(file: string, found: number): Error {
  return invalidEvidence(file, "components", found, `at most ${MAX_COMPONENTS}`);
}
