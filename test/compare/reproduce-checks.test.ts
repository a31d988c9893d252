// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkoutProblems } from "../../builder/commands/reproduce-checks.ts";
import type { Checkout } from "../../builder/commands/reproduce-checks.ts";
import { provenanceStatement } from "../../builder/evidence/provenance.ts";
import { readProvenance } from "../../builder/evidence/read-provenance.ts";
import { adoptBlob } from "../../builder/host/adopt-blob.ts";
import { blobPath, openStore, putBytes } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { provenanceRequest } from "../evidence/evidence-samples.ts";

const request = provenanceRequest();
const provenance = readProvenance(provenanceStatement(request), "p");
const SAME: Checkout = {
  sources: request.sources,
  node: request.builder.node.version,
  dodeka: request.builder.dodeka,
};

test("the checkout that built an artifact has no problems", () => {
  assert.deepEqual(checkoutProblems(provenance, SAME), []);
});

const OTHERS: readonly (readonly [name: string, over: Partial<Checkout>, fields: readonly string[]])[] = [
  ["another Node", { node: "1.2.3" }, ["Node"]],
  ["another version", { dodeka: "9" }, ["dodeka"]],
  ["a changed lock", { sources: [{ name: "package-lock.json", digest: sha256("x") }] }, ["package-lock.json"]],
  ["no lock", { sources: [] }, ["package-lock.json"]],
  ["a folder more", { sources: [...request.sources, { name: "builder", digest: sha256("x") }] }, ["builder"]],
  ["everything", { node: "1", dodeka: "9", sources: [] }, ["dodeka", "Node", "package-lock.json"]],
];

for (const [name, over, fields] of OTHERS) {
  test(`a checkout with ${name} is refused by name`, () => {
    const problems = checkoutProblems(provenance, { ...SAME, ...over });
    assert.deepEqual(
      problems.map((p) => [p.code, p.details.field]),
      fields.map((field) => ["HOST_UNFIT", field]),
    );
  });
}

const dir = mkdtempSync(join(tmpdir(), "adopt-"));
after(() => rmSync(dir, { recursive: true }));

test("adoptBlob shares a blob's bytes and hashes them again", async () => {
  const [home, store] = [await openStore(join(dir, "home")), await openStore(join(dir, "store"))];
  const { digest } = await putBytes(home, "locked package");
  assert.equal(await adoptBlob(store, home, digest), true);
  assert.equal(statSync(blobPath(store, digest)).ino, statSync(blobPath(home, digest)).ino);
  assert.equal(await adoptBlob(store, home, sha256("never stored")), false);
});

test("adoptBlob keeps nothing of a damaged blob", async () => {
  const [home, store] = [await openStore(join(dir, "home2")), await openStore(join(dir, "store2"))];
  const { digest } = await putBytes(home, "locked package");
  rmSync(blobPath(home, digest));
  writeFileSync(blobPath(home, digest), "other package!");
  await assert.rejects(adoptBlob(store, home, digest), { code: "STORE_CORRUPT" });
  assert.throws(() => statSync(blobPath(store, digest)), { code: "ENOENT" });
});
