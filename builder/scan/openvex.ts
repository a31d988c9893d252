// SPDX-License-Identifier: Apache-2.0
// OpenVEX statements: what we know about a vulnerability in what we ship. Spec: OpenVEX 0.2.0, openvex.dev.
// A statement counts for a component when a product is that component, or when a product is this system and a
// subcomponent is. Package URLs without a version stand for every version. Left out: other identifiers and hashes.
import { PackageURL } from "packageurl-js";
import { invalidEvidence, isObject, memberAt } from "../evidence/json.ts";

export type VexStatus = "not_affected" | "affected" | "fixed" | "under_investigation";

export interface VexStatement {
  readonly vulnerabilities: readonly string[];
  /** Package URLs of the components it is about. */
  readonly components: readonly string[];
  readonly status: VexStatus;
  /** Why it is not affected: a word of the specification and a sentence. */
  readonly justification: string | undefined;
  readonly impact: string | undefined;
  readonly file: string;
  /** It comes with the factory, and is about every output at once. */
  readonly isShipped: boolean;
}

const STATUSES: readonly string[] = ["not_affected", "affected", "fixed", "under_investigation"];
const JUSTIFICATIONS: readonly string[] = [
  "component_not_present",
  "vulnerable_code_not_present",
  "vulnerable_code_not_in_execute_path",
  "vulnerable_code_cannot_be_controlled_by_adversary",
  "inline_mitigations_already_exist",
];
const SYSTEM = "pkg:generic/dodeka";
const MAX_STATEMENTS = 10_000;
const CONTEXT = /^https:\/\/openvex\.dev\/ns(\/v0\.2\.\d+)?$/;

/** Throws EVIDENCE_INVALID with the field that is wrong: a statement that hides something must be understood. */
export function parseOpenVex(value: unknown, file: string, isShipped = false): readonly VexStatement[] {
  const context = memberAt(value, "@context");
  if (typeof context !== "string" || !CONTEXT.test(context)) {
    throw invalidEvidence(file, "@context", context, "https://openvex.dev/ns/v0.2.0");
  }
  const statements = memberAt(value, "statements");
  if (!Array.isArray(statements) || statements.length > MAX_STATEMENTS) {
    throw invalidEvidence(file, "statements", typeof statements, `a list, at most ${MAX_STATEMENTS}`);
  }
  return statements.map((statement: unknown, i) => ({
    ...parseStatement(statement, `${file} statement ${i + 1}`),
    isShipped,
  }));
}

function parseStatement(value: unknown, file: string): Omit<VexStatement, "isShipped"> {
  const status = memberAt(value, "status");
  if (typeof status !== "string" || !STATUSES.includes(status)) {
    throw invalidEvidence(file, "status", status, STATUSES.join(", "));
  }
  const justification = text(value, "justification");
  const impact = text(value, "impact_statement");
  if (justification !== undefined && !JUSTIFICATIONS.includes(justification)) {
    throw invalidEvidence(file, "justification", justification, JUSTIFICATIONS.join(", "));
  }
  if (status === "not_affected" && justification === undefined && impact === undefined) {
    throw invalidEvidence(file, "justification", "none", "a justification or an impact_statement");
  }
  const vulnerabilities = [text(value, "vulnerability.name"), ...texts(memberAt(value, "vulnerability.aliases"))];
  const named = vulnerabilities.filter((name) => name !== undefined);
  if (named.length === 0) throw invalidEvidence(file, "vulnerability.name", "none", "an identifier");
  const components = componentsOf(memberAt(value, "products"), file);
  return { vulnerabilities: named, components, status: status as VexStatus, justification, impact, file };
}

function componentsOf(products: unknown, file: string): readonly string[] {
  if (!Array.isArray(products) || products.length === 0) throw invalidEvidence(file, "products", "none", "one or more");
  return products.flatMap((product: unknown) => {
    const id = identifierOf(product, file);
    if (!isSamePackage(SYSTEM, id)) return [id];
    const subcomponents = memberAt(product, "subcomponents");
    if (!Array.isArray(subcomponents)) return [];
    return subcomponents.map((s: unknown) => identifierOf(s, file));
  });
}

function identifierOf(value: unknown, file: string): string {
  const id = text(value, "@id") ?? text(value, "identifiers.purl");
  if (id?.startsWith("pkg:") !== true || coordinates(id) === undefined) {
    throw invalidEvidence(file, "products.@id", isObject(value) ? id : value, "a package URL");
  }
  return id;
}

/** The last statement, in the order given, that is about this vulnerability in this component. */
export function findStatement(
  statements: readonly VexStatement[],
  identifiers: readonly string[],
  purl: string,
): VexStatement | undefined {
  return statements.findLast(
    (s) => s.vulnerabilities.some((v) => identifiers.includes(v)) && s.components.some((c) => matchesPurl(c, purl)),
  );
}

/** Type, namespace and name equal; the version too, when the statement has one. Qualifiers do not count. */
export function matchesPurl(pattern: string, purl: string): boolean {
  const version = coordinates(pattern)?.version;
  return isSamePackage(pattern, purl) && (version === undefined || version === coordinates(purl)?.version);
}

/** Whatever the versions. */
export function isSamePackage(a: string, b: string): boolean {
  const name = coordinates(a)?.name;
  return name !== undefined && name === coordinates(b)?.name;
}

function coordinates(purl: string): { name: string; version: string | undefined } | undefined {
  try {
    const { type, namespace, name, version } = PackageURL.fromString(purl);
    return { name: [type, namespace ?? "", name].join("/"), version: version ?? undefined };
  } catch {
    return undefined;
  }
}

function text(value: unknown, path: string): string | undefined {
  // "@id" and other names with dots never meet memberAt's paths.
  const found = memberAt(value, path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
}
