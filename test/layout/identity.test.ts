// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { Sha256 } from "../../builder/layout/digest.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { deriveUuid, deriveVolumeId } from "../../builder/layout/identity.ts";

// Frozen: a change here changes every image.
const UUIDS: readonly (readonly [seed: string, purpose: string, want: string])[] = [
  ["plan", "gpt disk", "54c8b719-8982-8194-a16c-e04c9fff3758"],
  ["plan", "partition EFI", "de457612-37be-8df3-af53-b531afca5608"],
  ["plan", "partition META", "160a858d-86f0-8397-9ad9-13814dd295ba"],
  ["plan", "verity root", "51989a49-6743-8d9f-afd8-d58f76a3adf6"],
  ["other", "gpt disk", "81ca6bce-acab-8556-8a16-f5add83d5ea9"],
];

for (const [seed, purpose, want] of UUIDS) {
  test(`deriveUuid names "${purpose}" of "${seed}"`, () => {
    assert.equal(deriveUuid(sha256(seed), purpose), want);
  });
}

test("deriveUuid is always of version 8 and the RFC's variant", () => {
  fc.assert(
    fc.property(fc.string(), (text) =>
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(deriveUuid(sha256(text), "x")),
    ),
  );
});

test("deriveVolumeId is frozen and depends on the purpose", () => {
  assert.equal(deriveVolumeId(sha256("plan"), "fat"), 2_161_184_205);
  assert.equal(deriveVolumeId(sha256("plan"), "mbr"), 4_080_730_721);
});

test("deriveVolumeId equals the first four bytes of the digest, big-endian", () => {
  const seed = sha256("x");
  const digest = createHash("sha256").update(Buffer.from(seed, "hex")).update(":p").digest();
  assert.equal(deriveVolumeId(seed, "p"), digest.readUInt32BE(0));
});

test("identities refuse a seed that is no digest, and an empty purpose", () => {
  assert.throws(() => deriveUuid("plan" as Sha256, "x"), { code: "BUG" });
  assert.throws(() => deriveVolumeId(sha256("plan"), ""), { code: "BUG" });
});
