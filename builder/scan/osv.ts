// SPDX-License-Identifier: Apache-2.0
// Narrows one entry of an OSV database. Spec: OSV schema 1.7, ossf.github.io/osv-schema. A database is data from outside:
// sizes are bounded, and an entry that does not hold together is refused, since a skipped one would hide a vulnerability.
// Left out: GIT ranges (components have versions and no commits), credits, references.
import { invalidEvidence, isObject, memberAt } from "../evidence/json.ts";

export interface OsvEvent {
  readonly kind: "introduced" | "fixed" | "last_affected";
  /** "0" is before every version. */
  readonly version: string;
}

export interface OsvAffected {
  /** `Debian:13`, `Go`, `npm`. */
  readonly ecosystem: string;
  readonly name: string;
  readonly ranges: readonly (readonly OsvEvent[])[];
  readonly versions: readonly string[];
  /** A word such as `HIGH` that the database gives for this package. */
  readonly rating: string | undefined;
}

export interface OsvEntry {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly withdrawn: boolean;
  /** CVSS vectors. */
  readonly vectors: readonly string[];
  readonly rating: string | undefined;
  readonly affected: readonly OsvAffected[];
}

/** The largest entry, in bytes. */
export const OSV_MAX_BYTES: number = 8 << 20;
const MAX_LIST = 20_000;
const MAX_TEXT = 256;
const EVENT_KINDS = ["introduced", "fixed", "last_affected"] as const;

/** Throws EVIDENCE_INVALID with the field that is wrong. */
export function parseOsv(value: unknown, file: string): OsvEntry {
  if (!isObject(value)) throw invalidEvidence(file, "document", typeof value, "an OSV entry");
  const id = value["id"];
  if (typeof id !== "string" || !/^[!-~]{1,128}$/.test(id)) throw invalidEvidence(file, "id", id, "an identifier");
  const where = `${file} ${id}`;
  return {
    id,
    aliases: [...texts(value["aliases"], where, "aliases"), ...texts(value["upstream"], where, "upstream")],
    summary: summaryOf(value),
    withdrawn: typeof value["withdrawn"] === "string",
    vectors: list(value["severity"], where, "severity").flatMap((s) => textOrNothing(memberAt(s, "score"))),
    rating: textOrNothing(memberAt(value, "database_specific.severity"))[0],
    affected: list(value["affected"], where, "affected").flatMap((a) => parseAffected(a, where)),
  };
}

/** An entry without a package is about commits, which nobody here has. */
function parseAffected(value: unknown, file: string): readonly OsvAffected[] {
  const [ecosystem, name] = [memberAt(value, "package.ecosystem"), memberAt(value, "package.name")];
  if (memberAt(value, "package") === undefined) return [];
  if (!isShort(ecosystem)) throw invalidEvidence(file, "affected.package.ecosystem", ecosystem, "text");
  if (!isShort(name)) throw invalidEvidence(file, "affected.package.name", name, "text");
  const ranges = list(memberAt(value, "ranges"), file, "ranges").flatMap((range) => {
    const type = memberAt(range, "type");
    if (type === "GIT") return [];
    if (type === "SEMVER" || type === "ECOSYSTEM") return [parseEvents(memberAt(range, "events"), file)];
    throw invalidEvidence(file, "affected.ranges.type", type, "SEMVER, ECOSYSTEM or GIT");
  });
  const ratings = ["database_specific.severity", "ecosystem_specific.severity", "ecosystem_specific.urgency"];
  return [
    {
      ecosystem,
      name,
      ranges,
      versions: texts(memberAt(value, "versions"), file, "affected.versions"),
      rating: ratings.flatMap((path) => textOrNothing(memberAt(value, path)))[0],
    },
  ];
}

function parseEvents(value: unknown, file: string): readonly OsvEvent[] {
  return list(value, file, "affected.ranges.events").flatMap((event) => {
    if (!isObject(event)) throw invalidEvidence(file, "affected.ranges.events", event, "an object");
    const kind = EVENT_KINDS.find((k) => event[k] !== undefined);
    if (kind === undefined && event["limit"] !== undefined) return [];
    const version = kind === undefined ? undefined : event[kind];
    if (kind === undefined || !isShort(version)) {
      throw invalidEvidence(file, "affected.ranges.events", Object.keys(event), EVENT_KINDS.join(", "));
    }
    return [{ kind, version }];
  });
}

function summaryOf(value: Readonly<Record<string, unknown>>): string {
  const [summary, details] = [value["summary"], value["details"]];
  const text = typeof summary === "string" && summary !== "" ? summary : typeof details === "string" ? details : "";
  return (text.split("\n")[0] ?? "").slice(0, MAX_TEXT);
}

function list(value: unknown, file: string, field: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= MAX_LIST) return value;
  throw invalidEvidence(file, field, Array.isArray(value) ? value.length : typeof value, `a list, at most ${MAX_LIST}`);
}

function texts(value: unknown, file: string, field: string): readonly string[] {
  return list(value, file, field).map((text) => {
    if (isShort(text)) return text;
    throw invalidEvidence(file, field, text, `text of at most ${MAX_TEXT} characters`);
  });
}

function textOrNothing(value: unknown): readonly string[] {
  return isShort(value) ? [value] : [];
}

function isShort(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_TEXT;
}
