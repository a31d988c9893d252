// SPDX-License-Identifier: Apache-2.0
// A small Debian archive with a key of its own, signed as the real one is, for tests of what reads archives.
import { xz } from "@napi-rs/lzma";
import { createCleartextMessage, generateKey, readKey, readPrivateKey, sign } from "openpgp";
import type { PrivateKey } from "openpgp";
import { sha256 } from "../../builder/layout/digest.ts";
import { SUITES } from "../../builder/release/package-groups.ts";

/** 2026-11-20 08:30:00 UTC. */
export const ARCHIVE_DATE = 1_795_163_400;

export interface ArchiveKey {
  readonly private: PrivateKey;
  /** Binary public key, as a keyring file holds it. */
  readonly keyring: Uint8Array;
}

export async function archiveKey(): Promise<ArchiveKey> {
  const { privateKey, publicKey } = await generateKey({
    type: "curve25519",
    userIDs: [{ name: "Test Archive" }],
    date: new Date(Date.UTC(2026, 0, 1)),
    format: "armored",
  });
  const binary = (await readKey({ armoredKey: publicKey })).write();
  return { private: await readPrivateKey({ armoredKey: privateKey }), keyring: binary };
}

export interface SamplePackage {
  readonly name: string;
  readonly version?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly content?: Uint8Array;
}

export function contentOf({ name, version = "1.0", content }: SamplePackage): Uint8Array {
  return content ?? Buffer.from(`${name} ${version}`);
}

export function poolPath({ name, version = "1.0" }: SamplePackage): string {
  return `pool/main/${name[0]}/${name}/${name}_${version}_amd64.deb`;
}

export function renderPackages(packages: readonly SamplePackage[]): string {
  const stanza = (p: SamplePackage): string => {
    const content = contentOf(p);
    const fields: Readonly<Record<string, string | number>> = {
      Package: p.name,
      Version: p.version ?? "1.0",
      Architecture: "amd64",
      Filename: poolPath(p),
      Size: content.length,
      SHA256: sha256(content),
      ...p.fields,
    };
    return Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join("");
  };
  return packages.map(stanza).join("\n");
}

export interface ReleaseText {
  readonly codename?: string;
  readonly date?: string;
  readonly validUntil?: string;
  /** Digest lines; by default the one of Packages.xz. */
  readonly digests?: string;
}

/** Bytes of `dists/<suite>/InRelease`. */
export async function signRelease(
  suite: string,
  index: Uint8Array,
  key: ArchiveKey,
  over: ReleaseText = {},
): Promise<Uint8Array> {
  const text = [
    "Origin: Test",
    `Suite: ${over.codename ?? suite}`,
    `Codename: ${over.codename ?? suite}`,
    `Date: ${over.date ?? "Fri, 20 Nov 2026 08:30:00 UTC"}`,
    ...(over.validUntil === undefined ? [] : [`Valid-Until: ${over.validUntil}`]),
    "SHA256:",
    over.digests ?? ` ${sha256(index)} ${index.length} main/binary-amd64/Packages.xz`,
    "",
  ].join("\n");
  const message = await createCleartextMessage({ text });
  const date = new Date(Date.UTC(2026, 5, 1));
  return Buffer.from(await sign({ message, signingKeys: key.private, date }));
}

/** Every file of an archive whose first preferred suite holds `packages`; the other suites are there and empty. */
export async function sampleArchive(
  packages: readonly SamplePackage[],
  key: ArchiveKey,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>(packages.map((p) => [`/${poolPath(p)}`, contentOf(p)]));
  for (const suite of [...SUITES.preferred, ...SUITES.fallback]) {
    const index = await xz.compress(Buffer.from(renderPackages(suite === SUITES.preferred[0] ? packages : [])));
    files.set(`/dists/${suite}/main/binary-amd64/Packages.xz`, index);
    files.set(`/dists/${suite}/InRelease`, await signRelease(suite, index, key));
  }
  return files;
}
