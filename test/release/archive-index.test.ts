// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { xz } from "@napi-rs/lzma";
import { sha256 } from "../../builder/layout/digest.ts";
import { mergeSuites, readSuite } from "../../builder/release/archive-index.ts";
import type { Suite } from "../../builder/release/archive-index.ts";
import type { ReleaseText, SamplePackage } from "./archive-samples.ts";
import { ARCHIVE_DATE, archiveKey, poolPath, renderPackages, signRelease } from "./archive-samples.ts";

const [key, stranger] = [await archiveKey(), await archiveKey()];
const SHELL: SamplePackage = {
  name: "shell",
  version: "2.0-1",
  fields: {
    Depends: "libc6 (>= 2.36), awk | mawk:any",
    "Pre-Depends": "base [amd64]",
    Provides: "sh (= 1), posix-shell",
  },
};
const PACKAGES = [
  SHELL,
  { name: "other", fields: { Architecture: "arm64" } },
  { name: "all", fields: { Architecture: "all" } },
];
const INDEX = await xz.compress(Buffer.from(renderPackages(PACKAGES)));

interface Served {
  readonly index?: Uint8Array;
  readonly inRelease?: Uint8Array;
  readonly keyring?: Uint8Array;
  readonly suite?: string;
}

async function read({ index = INDEX, inRelease, keyring = key.keyring, suite = "trixie" }: Served): Promise<Suite> {
  const signed = inRelease ?? (await signRelease(suite, index, key));
  return readSuite(suite, {
    keyring,
    nowSeconds: ARCHIVE_DATE + 86_400,
    fetchDocument: async (_archive, path) => (path.endsWith("InRelease") ? signed : index),
  });
}

test("readSuite reads a suite that the archive's key signed", async () => {
  const inRelease = await signRelease("trixie", INDEX, key);
  const { locked, packages } = await read({ inRelease });
  assert.deepEqual(locked, { name: "trixie", inRelease: sha256(inRelease), dateSeconds: ARCHIVE_DATE });
  assert.deepEqual(
    packages.map((p) => p.name),
    ["shell", "all"],
  );
  const { depends, provides, path, archive } = packages[0] ?? assert.fail();
  assert.deepEqual(depends, [["base"], ["libc6"], ["awk", "mawk"]]);
  assert.deepEqual([provides, path, archive], [["sh", "posix-shell"], poolPath(SHELL), "debian"]);
});

test("readSuite asks the security archive for the security suite, within bounds", async () => {
  const asked: unknown[] = [];
  const signed = await signRelease("trixie-security", INDEX, key);
  await readSuite("trixie-security", {
    keyring: key.keyring,
    nowSeconds: ARCHIVE_DATE,
    fetchDocument: async (archive, path, maxBytes) => {
      asked.push([archive, path, maxBytes < 2 ** 26]);
      return path.endsWith("InRelease") ? signed : INDEX;
    },
  });
  assert.deepEqual(asked, [
    ["debian-security", "dists/trixie-security/InRelease", true],
    ["debian-security", "dists/trixie-security/main/binary-amd64/Packages.xz", true],
  ]);
});

const tampered = Buffer.from(await signRelease("trixie", INDEX, key))
  .toString("utf8")
  .replace("Origin: Test", "Origin: Tset");
const release = (over: ReleaseText): Promise<Uint8Array> => signRelease("trixie", INDEX, key, over);

const UNTRUSTED: Readonly<Record<string, () => Served | Promise<Served>>> = {
  "a signature by another key": async () => ({ inRelease: await signRelease("trixie", INDEX, stranger) }),
  "a keyring without the key": () => ({ keyring: stranger.keyring }),
  "a keyring that is none": () => ({ keyring: Buffer.from("not a keyring") }),
  "a text that was changed after signing": () => ({ inRelease: Buffer.from(tampered) }),
  "a text without a signature": () => ({ inRelease: Buffer.from("Suite: trixie\nCodename: trixie\n") }),
  "no text at all": () => ({ inRelease: new Uint8Array() }),
  "an index that was changed": async () => ({
    inRelease: await signRelease("trixie", INDEX, key),
    index: await xz.compress(Buffer.from(renderPackages([{ name: "evil" }]))),
  }),
  "another suite's release": async () => ({ inRelease: await signRelease("sid", INDEX, key) }),
  "a release without the index": async () => ({
    inRelease: await release({ digests: ` ${sha256("x")} 1 main/binary-arm64/Packages.xz` }),
  }),
  "a release with a weak digest": async () => ({
    inRelease: await release({ digests: ` ${"0".repeat(32)} 1 main/binary-amd64/Packages.xz` }),
  }),
  "a release that has expired": async () => ({
    inRelease: await release({ validUntil: "Sat, 21 Nov 2026 08:30:00 UTC" }),
  }),
  "an end that is no date": async () => ({ inRelease: await release({ validUntil: "next year" }) }),
  "a date that no calendar has": async () => ({ inRelease: await release({ date: "Mon, 31 Feb 2026 08:30:00 UTC" }) }),
  "a date in local time": async () => ({ inRelease: await release({ date: "Fri, 20 Nov 2026 08:30:00 +0200" }) }),
};

for (const [what, served] of Object.entries(UNTRUSTED)) {
  test(`readSuite trusts no ${what.replace(/^(a|an|no) /, "")}`, async () => {
    await assert.rejects(read(await served()), { name: "FactoryError", code: "SOURCE_UNTRUSTED" });
  });
}

test("readSuite takes a release that is valid for a second more", async () => {
  await read({ inRelease: await release({ validUntil: "Sat, 21 Nov 2026 08:30:01 UTC" }) });
});

test("readSuite ignores what surrounds the signed text", async () => {
  const signed = Buffer.from(await signRelease("trixie", INDEX, key)).toString("utf8");
  const digests = ` ${sha256("evil")} 1 main/binary-amd64/Packages.xz`;
  const surrounded = `Suite: trixie\nSHA256:\n${digests}\n\n${signed}`;
  const { packages } = await read({ inRelease: Buffer.from(surrounded) }).catch(() => ({ packages: undefined }));
  assert.ok(packages === undefined || packages[0]?.name === "shell");
});

function suiteOf(suite: string, ...versions: readonly string[]): Suite {
  const packages = versions.map((version) => ({ ...candidate, version, suite }));
  return { locked: { name: suite, inRelease: sha256("x"), dateSeconds: 0 }, packages };
}
const candidate = (await read({})).packages[0] ?? assert.fail();

test("mergeSuites takes the newest of the preferred suites, and the fallback only for what they lack", () => {
  const merged = mergeSuites(
    [suiteOf("trixie", "1.0"), suiteOf("trixie-security", "1.0+deb13u1")],
    [suiteOf("trixie-backports", "9")],
  );
  assert.equal(merged.get("shell")?.suite, "trixie-security");
  assert.equal(mergeSuites([], [suiteOf("trixie-backports", "9")]).get("shell")?.version, "9");
});
