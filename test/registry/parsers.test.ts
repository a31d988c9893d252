// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { parseChallenge } from "../../builder/registry/challenge.ts";
import { parseCredentials } from "../../builder/registry/credentials.ts";
import { parseManifest } from "../../builder/registry/manifest.ts";
import { parseImageReference, repositoryName } from "../../builder/registry/reference.ts";

const HEX = "0123456789abcdef".repeat(4);

const GOOD: readonly (readonly [text: string, name: string, tag: string | undefined, digest: string | undefined])[] = [
  ["oci://ghcr.io/a/b:v1", "ghcr.io/a/b", "v1", undefined],
  [`oci://ghcr.io/a/b@sha256:${HEX}`, "ghcr.io/a/b", undefined, HEX],
  [`oci://127.0.0.1:5000/a:v1@sha256:${HEX}`, "127.0.0.1:5000/a", "v1", HEX],
  ["oci://[::1]:5000/a__b-c.d:latest", "[::1]:5000/a__b-c.d", "latest", undefined],
];

for (const [text, name, tag, digest] of GOOD) {
  test(`parseImageReference reads ${text.replace(HEX, "…")}`, () => {
    const found = parseImageReference(text);
    assert.deepEqual([repositoryName(found), found.tag, found.digest], [name, tag, digest]);
  });
}

for (const text of [
  "oci://ghcr.io/a",
  "oci://a:v1",
  "oci:///a:v1",
  "oci://ghcr.io/A:v1",
  "oci://ghcr.io/../a:v1",
  "oci://ghcr.io//a:v1",
  "oci://user@ghcr.io/a:v1",
  "oci://ghcr.io/a:v1@sha256:abc",
  `oci://ghcr.io/a@sha512:${HEX}`,
  `oci://ghcr.io/a@${HEX}`,
  "oci://ghcr.io/a:v 1",
  "oci://ghcr.io/a?x:v1",
  "oci://ghcr.io:99999999/a:v1",
]) {
  test(`parseImageReference refuses ${text.replace(HEX, "…")}`, () => {
    assert.throws(() => parseImageReference(text), { code: "USAGE" });
  });
}

const CHALLENGES: readonly (readonly [header: string | null, scheme: string | undefined, parameters: object])[] = [
  [null, undefined, {}],
  ["Negotiate", undefined, {}],
  ['Basic realm="a b, c"', "basic", { realm: "a b, c" }],
  [
    'bearer Realm="https://a/t",service=s,scope="repository:a:pull,push"',
    "bearer",
    {
      realm: "https://a/t",
      service: "s",
      scope: "repository:a:pull,push",
    },
  ],
  ['Basic realm="x", Bearer realm="https://a/\\"t"', "bearer", { realm: 'https://a/"t' }],
];

for (const [header, scheme, parameters] of CHALLENGES) {
  test(`parseChallenge reads ${header ?? "nothing"}`, () => {
    const found = parseChallenge(header);
    assert.equal(found?.scheme, scheme);
    assert.deepEqual(Object.fromEntries(found?.parameters ?? []), parameters);
  });
}

test("parseChallenge takes no longer for a hostile header than for any other", () => {
  const started = performance.now();
  const header = `${"basic ,".repeat(500)}${"a".repeat(4500)}`;
  assert.equal(parseChallenge(header)?.scheme, "basic");
  assert.ok(performance.now() - started < 3000, "minutes, when names are tried from each of their characters");
});

test("parseCredentials reads what docker and podman write", () => {
  const auth = Buffer.from("bob:pass:word").toString("base64");
  const text = JSON.stringify({
    auths: {
      "https://index.docker.io/v1/": { auth },
      "ghcr.io": { username: "bob", password: "p" },
      "quay.io": { registrytoken: "t" },
      "helper.example.org": {},
    },
    credsStore: "desktop",
  });
  assert.deepEqual(
    [...parseCredentials(Buffer.from(text), "f")],
    [
      ["index.docker.io", { kind: "basic", user: "bob", password: "pass:word" }],
      ["ghcr.io", { kind: "basic", user: "bob", password: "p" }],
      ["quay.io", { kind: "bearer", token: "t" }],
    ],
  );
  assert.equal(parseCredentials(Buffer.from("{}"), "f").size, 0);
});

for (const text of [
  "",
  "[",
  '{"auths":1}',
  '{"auths":{"a":{"auth":"eA=="}}}',
  '{"auths":{"a":{"registrytoken":"a\\nb"}}}',
]) {
  test(`parseCredentials refuses ${text || "nothing"}`, () => {
    assert.throws(() => parseCredentials(Buffer.from(text), "f"), { code: "USAGE" });
  });
}

test("parsers answer or refuse, whatever comes", () => {
  const type = "application/vnd.oci.image.manifest.v1+json";
  const calls: readonly ((text: string) => void)[] = [
    (text) => void parseImageReference(`oci://${text}`),
    (text) => void parseChallenge(text),
    (text) => void parseCredentials(Buffer.from(text), "f"),
    (text) => void parseManifest(Buffer.from(text), type, "f"),
  ];
  const layers = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify({ schemaVersion: 2, layers: [value] }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), layers), (text) => {
      for (const call of calls) {
        try {
          call(text);
        } catch (error) {
          assert.ok(error instanceof FactoryError && error.code !== "BUG", String((error as Error).stack));
        }
      }
    }),
    { numRuns: 500 },
  );
});
