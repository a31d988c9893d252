// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { sha256 } from "../../builder/layout/digest.ts";
import { findPackage, groupDigest, packagesOf, parseLock, readLock, renderLock } from "../../builder/release/lock.ts";
import type { Lock, LockedPackage } from "../../builder/release/lock.ts";

const locked = (name: string): LockedPackage => ({
  name,
  version: "1:2.0~rc1-1+b2",
  arch: "amd64",
  suite: "trixie-security",
  archive: "debian-security",
  path: `pool/updates/main/x/${name}_2.0~rc1-1+b2_amd64.deb`,
  size: 100,
  sha256: sha256(name),
});
const LOCK: Lock = {
  format: 1,
  epochSeconds: 1_795_163_400,
  suites: [{ name: "trixie", inRelease: sha256("InRelease"), dateSeconds: 1_795_163_400 }],
  groups: { tools: ["alpha", "gamma"], none: [] },
  packages: ["alpha", "beta", "gamma"].map(locked),
};

test("a lock reads back as it was written, one package a line", () => {
  const text = renderLock(LOCK);
  assert.deepEqual(parseLock(text, "lock"), LOCK);
  assert.equal(text.split("\n").filter((line) => line.includes('"sha256"')).length, 3);
});

test("the lock that ships is a lock", () => {
  assert.ok(readLock().packages.length > 100);
});

const changed = (change: Partial<Record<keyof Lock, unknown>>): string => JSON.stringify({ ...LOCK, ...change });
const withPackage = (change: Partial<Record<keyof LockedPackage, unknown>>): string =>
  changed({ packages: [{ ...locked("alpha"), ...change }], groups: {} });

const WRONG: readonly (readonly [what: string, text: string, field: string])[] = [
  ["no JSON", "format: 1", "document"],
  ["null", "null", "document"],
  ["a list", "[]", "document"],
  ["another format", changed({ format: 2 }), "format"],
  ["an epoch that is a text", changed({ epochSeconds: "now" }), "epochSeconds"],
  ["a negative epoch", changed({ epochSeconds: -1 }), "epochSeconds"],
  ["no suites", changed({ suites: undefined }), "suites"],
  ["a suite without a digest", changed({ suites: [{ name: "trixie", dateSeconds: 1 }] }), "suites"],
  ["no packages", changed({ packages: {} }), "packages"],
  ["a package that is null", changed({ packages: [null] }), "packages."],
  ["a package twice", changed({ packages: [locked("alpha"), locked("alpha")], groups: {} }), "packages.alpha"],
  ["a package name with a slash", withPackage({ name: "a/b" }), "packages.a/b"],
  ["a version with a space", withPackage({ version: "1 2" }), "packages.alpha"],
  ["another architecture", withPackage({ arch: "arm64" }), "packages.alpha"],
  ["another archive", withPackage({ archive: "ubuntu" }), "packages.alpha"],
  ["a path that climbs", withPackage({ path: "pool/../../x.deb" }), "packages.alpha"],
  ["a path outside the pool", withPackage({ path: "/etc/passwd.deb" }), "packages.alpha"],
  ["an address as path", withPackage({ path: "http://pool/x.deb" }), "packages.alpha"],
  ["an upper-case digest", withPackage({ sha256: sha256("x").toUpperCase() }), "packages.alpha"],
  ["no size", withPackage({ size: 0 }), "packages.alpha"],
  ["a size that is a text", withPackage({ size: "100" }), "packages.alpha"],
  ["no groups", changed({ groups: null }), "groups"],
  ["a group that is no list", changed({ groups: { tools: "alpha" } }), "groups.tools"],
  ["a group with a stranger", changed({ groups: { tools: ["alpha", "delta"] } }), "groups.tools"],
];

for (const [what, text, field] of WRONG) {
  test(`parseLock refuses ${what}`, () => {
    assert.throws(
      () => parseLock(text, "a.lock"),
      (error: { code: string; details: { file: string; field: string } }) => {
        assert.deepEqual([error.code, error.details.file, error.details.field], ["LOCK_INVALID", "a.lock", field]);
        return true;
      },
    );
  });
}

test("a lock that is not there is an error with a remedy", () => {
  assert.throws(() => readLock(pathToFileURL("/nonexistent/lock.json")), { code: "LOCK_INVALID", message: /ENOENT/ });
});

test("packagesOf gives a group's packages and names the groups when there is no such one", () => {
  assert.deepEqual(
    packagesOf(LOCK, "tools").map((p) => p.name),
    ["alpha", "gamma"],
  );
  assert.throws(() => packagesOf(LOCK, "toys"), { code: "LOCK_INVALID", message: /tools none/ });
});

test("findPackage wants exactly one match", () => {
  assert.equal(findPackage(LOCK, "tools", /^al/).name, "alpha");
  for (const pattern of [/a$/, /^z/])
    assert.throws(() => findPackage(LOCK, "tools", pattern), { code: "LOCK_INVALID" });
});

test("groupDigest depends on the group's bytes and the recipe, and on nothing else", () => {
  const digest = groupDigest(LOCK, "tools", "recipe");
  const otherName = { ...LOCK, packages: LOCK.packages.map((p) => ({ ...p, path: "pool/x.deb" })) };
  const outsider = {
    ...LOCK,
    packages: LOCK.packages.map((p) => (p.name === "beta" ? { ...p, sha256: sha256("new") } : p)),
  };
  const member = {
    ...LOCK,
    packages: LOCK.packages.map((p) => (p.name === "alpha" ? { ...p, sha256: sha256("new") } : p)),
  };
  assert.deepEqual(
    [groupDigest(otherName, "tools", "recipe"), groupDigest(outsider, "tools", "recipe")],
    [digest, digest],
  );
  assert.notEqual(groupDigest(member, "tools", "recipe"), digest);
  assert.notEqual(groupDigest(LOCK, "tools", "another"), digest);
});
