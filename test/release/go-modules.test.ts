// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readModuleSources, requiredVersion } from "../../builder/release/go-modules.ts";
import { temporaryDirectory, temporaryStore } from "../host/temp-store.ts";

const store = await temporaryStore();

function folderOf(files: Readonly<Record<string, string>>): string {
  const dir = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

test("a module's sources are what go build may read of it", async () => {
  const dir = folderOf({
    "go.mod": "module m\nreplace example.org/x => ./instead\n",
    "go.sum": "",
    "init/main.go": "package main",
    "init/main_test.go": "package main",
    "init/testdata/a.txt": "a",
    "other/go.mod": "module m/other\n",
    "other/deep/main.go": "package main",
    "instead/go.mod": "module example.org/x\n",
    "instead/x.go": "package x",
  });
  const { tree, goMod } = await readModuleSources(store, dir);
  const own = ["go.mod", "go.sum", "init/main.go", "instead/go.mod", "instead/x.go"];
  assert.deepEqual(Object.keys(tree).sort(), own);
  assert.match(goMod, /^module m$/m);
});

test("a folder of the table that is no module is refused", async () => {
  const dir = folderOf({ "main.go": "package main" });
  await assert.rejects(readModuleSources(store, dir), { code: "RELEASE_INVALID" });
  await assert.rejects(readModuleSources(store, join(dir, "missing")), { code: "RELEASE_INVALID" });
});

const GO_MOD = `module m

require example.org/alone v1.2.3

require (
	example.org/block v0.4.0 // indirect
	example.org/block/v2 v2.0.0
)

replace example.org/other => example.org/fork v9.0.0
`;

const VERSIONS: readonly (readonly [module: string, version: string])[] = [
  ["example.org/alone", "v1.2.3"],
  ["example.org/block", "v0.4.0"],
  ["example.org/block/v2", "v2.0.0"],
];

for (const [module, version] of VERSIONS) {
  test(`go.mod requires ${module} at ${version}`, () => assert.equal(requiredVersion(GO_MOD, module), version));
}

for (const module of ["example.org/other", "example.org/bloc", "module"]) {
  test(`go.mod has no requirement of ${module}`, () => {
    assert.throws(() => requiredVersion(GO_MOD, module), { code: "RELEASE_INVALID" });
  });
}
