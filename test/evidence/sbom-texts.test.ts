// SPDX-License-Identifier: Apache-2.0
// The texts of a release's SBOMs are made once, made again when what decides them changed, and made without being kept in
// a store that cannot be written to.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { loadTexts } from "../../builder/commands/sbom-texts.ts";
import type { SourceInput } from "../../builder/evidence/provenance.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, openStore, putBytes } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { releaseTexts } from "../../sbom/release-texts.ts";
import type { Texts } from "../../sbom/texts.ts";
import { renderTexts } from "../../sbom/texts.ts";
import { INVENTORY } from "../sbom/model-samples.ts";

const dir = mkdtempSync(join(tmpdir(), "sbom-texts-"));
after(() => rmSync(dir, { recursive: true }));

const SOURCES: readonly SourceInput[] = ["builder", "sbom", "package-lock.json"].map((name) => {
  return { name, digest: sha256(name) };
});
const TEXTS = releaseTexts(INVENTORY);
const BLOB = sha256(renderTexts(TEXTS));

function load(store: Store, sources = SOURCES): Promise<Texts> {
  return loadTexts({ store, inventory: INVENTORY, digest: sha256("inventory"), sources });
}

const results = (store: Store): readonly string[] => readdirSync(join(store.dir, "actions"));

test("texts come from the store once they were made, and another version of the code makes its own", async () => {
  const store = await openStore(join(dir, "kept"));
  assert.deepEqual(await load(store), TEXTS);
  const [result = ""] = results(store);
  const other = await putBytes(store, renderTexts(new Map([["a", Buffer.from("1")]])));
  const path = join(store.dir, "actions", result);
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(BLOB, other.digest));
  assert.deepEqual([...(await load(store)).keys()], ["a"], "were made again");
  for (const name of ["sbom", "package-lock.json"]) {
    const changed = SOURCES.map((s) => (s.name === name ? { name, digest: sha256(`other ${name}`) } : s));
    assert.deepEqual(await load(store, changed), TEXTS);
  }
  assert.equal(results(store).length, 3);
});

test("texts are made where the store keeps nothing", async () => {
  const store = await openStore(join(dir, "full"));
  writeFileSync(dirname(blobPath(store, BLOB)), ""); // where the blob's folder would be
  assert.deepEqual(await load(store), TEXTS);
  assert.deepEqual(results(store), []);
});

test("damaged texts are made again", async () => {
  const store = await openStore(join(dir, "damaged"));
  await load(store);
  rmSync(blobPath(store, BLOB));
  writeFileSync(blobPath(store, BLOB), "x");
  assert.deepEqual(await load(store), TEXTS);
});
