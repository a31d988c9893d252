// SPDX-License-Identifier: Apache-2.0
// Reads a suite of a Debian archive, trusting nothing that its signature does not cover:
// InRelease (OpenPGP cleartext signature) -> SHA-256 of Packages.xz -> the packages' own SHA-256.
// Spec: Debian repository format; RFC 9580 section 7 (cleartext signatures).
import { xz } from "@napi-rs/lzma";
import { readCleartextMessage, readKeys, verify } from "openpgp";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256, sha256 } from "../layout/digest.ts";
import { epochFromCivil } from "../layout/civil-time.ts";
import type { Candidate } from "./closure.ts";
import type { Stanza } from "./deb822.ts";
import { parseStanzas } from "./deb822.ts";
import { compareDebianVersions } from "./debian-version.ts";
import type { ArchiveName, LockedSuite } from "./lock.ts";

const MAX_INDEX_BYTES = 32 * 1024 * 1024;
const INDEX_PATH = "main/binary-amd64/Packages.xz";

/** How to fetch a document of at most `maxBytes` from below the archive's base address. */
export type FetchDocument = (archive: ArchiveName, path: string, maxBytes: number) => Promise<Uint8Array>;

export interface Suite {
  readonly locked: LockedSuite;
  readonly packages: readonly Candidate[];
}

export interface ArchiveAccess {
  /** Binary OpenPGP keys that may sign the archive. */
  readonly keyring: Uint8Array;
  readonly fetchDocument: FetchDocument;
  /** Seconds since 1970, to refuse what has expired. */
  readonly nowSeconds: number;
}

/** Reads one suite. Throws SOURCE_UNTRUSTED. */
export async function readSuite(name: string, access: ArchiveAccess): Promise<Suite> {
  const { keyring, fetchDocument, nowSeconds } = access;
  const archive: ArchiveName = name.endsWith("-security") ? "debian-security" : "debian";
  const signed = await fetchDocument(archive, `dists/${name}/InRelease`, 1024 * 1024);
  const release = await verifiedRelease(signed, keyring, name);
  checkFresh(release, name, nowSeconds);
  const index = await fetchDocument(archive, `dists/${name}/${INDEX_PATH}`, MAX_INDEX_BYTES);
  const expected = indexDigest(release, name);
  if (sha256(index) !== expected) throw untrusted(name, INDEX_PATH, `SHA-256 ${sha256(index)}`, `SHA-256 ${expected}`);
  const text = (await xz.decompress(index)).toString("utf8");
  const packages = [...parseStanzas(text)].flatMap((stanza) => candidate(stanza, name, archive));
  const dateSeconds = dateOf(release, "date", name);
  return { locked: { name, inRelease: sha256(signed), dateSeconds }, packages };
}

/** The newest of each name over all suites. */
export function mergeSuites(preferred: readonly Suite[], fallback: readonly Suite[]): ReadonlyMap<string, Candidate> {
  const index = new Map<string, Candidate>();
  for (const suite of preferred) {
    for (const next of suite.packages) {
      const known = index.get(next.name);
      if (known === undefined || compareDebianVersions(next.version, known.version) > 0) index.set(next.name, next);
    }
  }
  for (const next of fallback.flatMap((s) => s.packages)) if (!index.has(next.name)) index.set(next.name, next);
  return index;
}

async function verifiedRelease(signed: Uint8Array, keyring: Uint8Array, suite: string): Promise<Stanza> {
  const verificationKeys = await readKeys({ binaryKeys: keyring }).catch((cause: unknown) => {
    throw untrusted(suite, "keyring", cause instanceof Error ? cause.message : "bytes", "binary OpenPGP keys");
  });
  const message = await readCleartextMessage({ cleartextMessage: Buffer.from(signed).toString("utf8") }).catch(
    (e: unknown) => {
      throw untrusted(suite, "InRelease", e instanceof Error ? e.message : "bytes", "an OpenPGP cleartext signature");
    },
  );
  const { data, signatures } = await verify({ message, verificationKeys, format: "utf8" });
  const verdicts = await Promise.allSettled(signatures.map((s) => s.verified));
  if (!verdicts.some((v) => v.status === "fulfilled" && v.value)) {
    const ids = signatures.map((s) => s.keyID.toHex()).join(" ");
    throw untrusted(suite, "InRelease", `signatures by ${ids}`, "a signature by a key of the archive keyring");
  }
  const [stanza] = parseStanzas(data);
  if (stanza === undefined || (stanza.get("codename") !== suite && stanza.get("suite") !== suite)) {
    throw untrusted(suite, "InRelease", stanza?.get("codename") ?? "nothing", `codename ${suite}`);
  }
  return stanza;
}

function indexDigest(release: Stanza, suite: string): Sha256 {
  for (const line of (release.get("sha256") ?? "").split("\n")) {
    const [digest, , path] = line.trim().split(/\s+/);
    if (path === INDEX_PATH && digest !== undefined && isSha256(digest)) return digest;
  }
  throw untrusted(suite, "InRelease", "no entry", `the SHA-256 of ${INDEX_PATH}`);
}

function candidate(stanza: Stanza, suite: string, archive: ArchiveName): readonly Candidate[] {
  const get = (field: string): string => stanza.get(field) ?? "";
  const digest = get("sha256");
  const arch = get("architecture");
  if (!isSha256(digest) || (arch !== "amd64" && arch !== "all")) return [];
  return [
    {
      name: get("package"),
      version: get("version"),
      arch,
      suite,
      archive,
      path: get("filename"),
      size: Number(get("size")),
      sha256: digest,
      depends: [...clauses(get("pre-depends")), ...clauses(get("depends"))],
      provides: clauses(get("provides")).flat(),
    },
  ];
}

/** `a (>= 1) | b:any, c` -> [[a, b], [c]]. */
function clauses(text: string): readonly (readonly string[])[] {
  return text
    .split(",")
    .map((clause) => clause.split("|").flatMap((one) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(one)?.[1] ?? []))
    .filter((clause) => clause.length > 0);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Seconds since 1970 of a field that holds an RFC 5322 date in UTC. */
function dateOf(release: Stanza, field: string, suite: string): number {
  const text = release.get(field) ?? "";
  const match = /^\w{3}, (\d{1,2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:UTC|GMT|\+0000)$/.exec(text);
  const [day = 0, , year = 0, hour = 0, minute = 0, second = 0] = match?.slice(1).map(Number) ?? [];
  const month = MONTHS.indexOf(match?.[2] ?? "") + 1;
  const epoch = epochFromCivil({ year, month, day, hour, minute, second });
  if (match === null || month === 0 || epoch === undefined) throw untrusted(suite, field, text, "a date in UTC");
  return epoch;
}

/** An old state, correctly signed, is how a mirror would withhold a security update. Not every suite sets the limit. */
function checkFresh(release: Stanza, suite: string, nowSeconds: number): void {
  if (!release.has("valid-until") || nowSeconds < dateOf(release, "valid-until", suite)) return;
  throw new FactoryError({
    code: "SOURCE_UNTRUSTED",
    file: `dists/${suite}/InRelease`,
    field: "Valid-Until",
    found: release.get("valid-until"),
    expected: "a time in the future",
    fix: "set this host's clock, or choose a mirror that is up to date",
  });
}

function untrusted(suite: string, field: string, found: string, expected: string): FactoryError {
  return new FactoryError({
    code: "SOURCE_UNTRUSTED",
    file: `dists/${suite}`,
    field,
    found,
    expected,
    fix: "do not use this mirror, or give the right keyring with --keyring",
  });
}
