// SPDX-License-Identifier: Apache-2.0
// Whatever bytes come in, parsers answer or throw FactoryError; nothing else, and soon.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../../builder/errors.ts";
import { parseBundle } from "../../builder/evidence/bundle.ts";
import { EVIDENCE_MAX_BYTES, parseJson, parseJsonObject } from "../../builder/evidence/json.ts";
import { parsePolicy } from "../../builder/evidence/policy.ts";
import { readProvenance } from "../../builder/evidence/read-provenance.ts";
import { sbomFacts } from "../../builder/evidence/sbom-facts.ts";
import { parseStatement } from "../../builder/evidence/statement.ts";
import { verifyBundle } from "../../builder/evidence/verify-bundle.ts";
import { keyPair, makeEvidence } from "./evidence-samples.ts";

const { signer, trusted } = keyPair("release.pub");
const files = await makeEvidence(signer);

const READERS: readonly (readonly [name: string, seed: string, read: (bytes: Buffer) => void])[] = [
  ["parseBundle", ".sigstore.json", (bytes) => void verifyBundle(parseBundle(bytes, "f"), [trusted], "f")],
  ["a DSSE bundle", ".cdx.sigstore.json", (bytes) => void verifyBundle(parseBundle(bytes, "f"), [trusted], "f")],
  ["parseStatement", ".boot-test.json", (bytes) => void parseStatement(bytes, "f")],
  ["readProvenance", ".provenance.json", (bytes) => void readProvenance(parseStatement(bytes, "f"), "f")],
  ["sbomFacts", ".cdx.json", (bytes) => void sbomFacts("cdx", parseJsonObject(bytes, "f"), "f")],
];

function answers(read: (bytes: Buffer) => void, bytes: Buffer): void {
  try {
    read(bytes);
  } catch (error) {
    assert.ok(error instanceof FactoryError && error.code !== "BUG", String((error as Error).stack));
  }
}

/** Replaces the value at some path of a JSON document by anything. */
function mutations(seed: unknown): fc.Arbitrary<string> {
  const paths = pathsOf(seed);
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, "", [], {}, -1, "__proto__", 1e300));
  return fc.tuple(fc.nat(paths.length - 1), value).map(([at, replacement]) => {
    const copy = structuredClone(seed) as Record<string, unknown>;
    const path = paths[at] ?? [];
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((o, step) => o[step] as typeof o, copy);
    parent[path.at(-1) ?? ""] = replacement;
    return JSON.stringify(copy);
  });
}

function pathsOf(value: unknown): readonly string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [[name], ...pathsOf(member).map((path) => [name, ...path])]);
}

for (const [name, suffix, read] of READERS) {
  const seed = files.get(suffix) ?? Buffer.alloc(0);
  test(`${name} answers or refuses, whatever one value of a good document becomes`, () => {
    const document: unknown = JSON.parse(String(seed));
    fc.assert(
      fc.property(mutations(document), (text) => {
        answers(read, Buffer.from(text));
      }),
      { numRuns: 400 },
    );
  });
  test(`${name} answers or refuses, whatever bytes come`, () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          answers(read, Buffer.from(bytes));
        },
      ),
      { numRuns: 200 },
    );
  });
}

const REFUSED: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["deep nesting", Buffer.from("[".repeat(100_000))],
  ["deep nesting that closes", Buffer.from("[".repeat(65) + "]".repeat(65))],
  ["too many bytes", Buffer.alloc(EVIDENCE_MAX_BYTES + 1, " ")],
  ["bytes that are no UTF-8", Buffer.of(0x22, 0xff, 0x22)],
  ["a byte order mark", Buffer.from("\ufeff{}")],
  ["a member twice", Buffer.from('{"a":1,"b":{"a":1},"a":2}')],
  ["a member twice, once escaped", Buffer.from('{"a":1,"\\u0061":2}')],
  ["two documents", Buffer.from("{}{}")],
  ["a cut string", Buffer.from('{"a":"b')],
  ["nothing", Buffer.alloc(0)],
];

for (const [name, bytes] of REFUSED) {
  test(`parseJson refuses ${name}`, () => {
    assert.throws(() => parseJson(bytes, "f"), { code: "EVIDENCE_INVALID" });
  });
}

test("parseJson accepts what JSON.parse does, when no member comes twice", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(parseJson(Buffer.from(text), "f"), JSON.parse(text));
    }),
  );
});

const SIGNER = "signers: [{key: a.pub}]";
const POLICIES: readonly (readonly [name: string, text: string, field: string])[] = [
  ["no format", SIGNER, "format"],
  ["no signers", "format: 1\nsigners: []", "signers"],
  ["a misspelt requirement", `format: 1\n${SIGNER}\nrequires: [checksum]`, "requires"],
  ["an unknown check", `format: 1\n${SIGNER}\nrequire: [checksum, all]`, "require.1"],
  ["a key and an identity in one", "format: 1\nsigners: [{key: a, identity: b}]", "signers.0.identity"],
  ["an identity without issuer", "format: 1\nsigners: [{identity: b, trustedRoot: r}]", "signers.0.issuer"],
  [
    "no timestamp for an identity",
    "format: 1\nsigners: [{identity: b, issuer: c, trustedRoot: r, timestamps: 0}]",
    "signers.0.timestamps",
  ],
  ["coverage beyond all", `format: 1\n${SIGNER}\nminimumCoverage: 101`, "minimumCoverage"],
  [
    "coverage of an SBOM that is not required",
    `format: 1\n${SIGNER}\nrequire: [checksum]\nminimumCoverage: 1`,
    "minimumCoverage",
  ],
];

for (const [name, text, field] of POLICIES) {
  test(`parsePolicy refuses ${name}`, () => {
    assert.throws(
      () => parsePolicy(text, "policy.yaml"),
      (error) => error instanceof FactoryError && error.code === "POLICY_INVALID" && error.details.field === field,
    );
  });
}

test("parsePolicy reads keys, identities and their defaults", () => {
  const identity = "{identity: ci@example.org, issuer: https://i.example, trustedRoot: r.json, logEntries: 0}";
  const policy = parsePolicy(`format: 1\nsigners: [{key: a.pub}, ${identity}]\nminimumCoverage: 99.5\n`, "p");
  assert.deepEqual(policy, {
    signers: [
      { kind: "key", file: "a.pub" },
      {
        kind: "identity",
        identity: "ci@example.org",
        issuer: "https://i.example",
        rootFile: "r.json",
        thresholds: { logEntries: 0, certificateLogEntries: 1, timestamps: 1 },
      },
    ],
    require: ["checksum", "signature", "cdx", "spdx", "provenance"],
    minimumCoverage: 99.5,
  });
});
