// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { removeLeftEvidence } from "../../builder/commands/left-evidence.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { ARTIFACT, NAME, keyPair, makeEvidence } from "./evidence-samples.ts";

const LATER = [".boot-test.json", ".boot-test.log", ".boot-test.sigstore.json", ".rebuild.sigstore.json"];
const good = await makeEvidence(keyPair("k").signer);

const CASES: readonly (readonly [
  name: string,
  artifact: Buffer,
  content: string | undefined,
  left: readonly string[],
])[] = [
  ["keeps what is about the same bytes", ARTIFACT, undefined, LATER],
  ["removes what is about others", Buffer.from("another"), undefined, []],
  ["removes what is no evidence", ARTIFACT, "{", []],
];

for (const [name, artifact, content, left] of CASES) {
  test(`building again ${name}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "left-"));
    t.after(() => rmSync(dir, { recursive: true }));
    for (const suffix of LATER) writeFileSync(join(dir, NAME + suffix), content ?? good.get(suffix) ?? "the log");
    await removeLeftEvidence(join(dir, NAME), sha256(artifact));
    assert.deepEqual(
      readdirSync(dir).sort(),
      left.map((suffix) => NAME + suffix),
    );
  });
}
