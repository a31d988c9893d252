// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { describeGoModules, goBinary, withModuleLicence } from "../../builder/release/evidence-go.ts";
import type { GoBuildInfo } from "../../sbom/go-buildinfo.ts";
import { temporaryDirectory } from "../host/temp-store.ts";

const MIT = `Copyright (c) 2020 Somebody
Permission is hereby granted, free of charge, to any person. The above copyright notice and this permission notice stay.`;
const APACHE = `Apache License Version 2.0. Copyright (c) 2021 Upstream. 3. Grant of Patent License. 4. Redistribution.`;

const OURS: GoBuildInfo = {
  goVersion: "go1.27.4",
  path: "dodeka/userland/cni",
  main: { path: "dodeka/userland/cni", version: "(devel)", sum: "" },
  modules: [
    { path: "example.org/Lib", version: "v1.0.0", sum: "h1:a=" },
    { path: "./knftables", version: "(devel)", sum: "" },
  ],
  settings: { CGO_ENABLED: "0" },
};
const UPSTREAM: GoBuildInfo = {
  goVersion: "go1.27.4",
  path: "github.com/opencontainers/runc",
  main: { path: "github.com/opencontainers/runc", version: "v1.5.2", sum: "h1:b=" },
  modules: [{ path: "example.org/Lib", version: "v1.0.0", sum: "h1:a=" }],
  settings: { CGO_ENABLED: "1" },
};

const RULES = { version: "0.1.0", linkedIds: ["pkg:deb/debian/libc6-dev@2"] };
const LIB = "pkg:golang/example.org/Lib@v1.0.0";
const RUNC = "pkg:golang/github.com/opencontainers/runc@v1.5.2";
const STDLIB = "pkg:golang/stdlib@1.27.4";

/** Two module caches, each with one of the modules, and a toolbox with Go's copyright file. */
function sources(): Parameters<typeof describeGoModules>[1] {
  const dir = temporaryDirectory();
  const files: Readonly<Record<string, string>> = {
    "a/example.org/!lib@v1.0.0/LICENSE": MIT,
    "b/github.com/opencontainers/runc@v1.5.2/LICENSE": APACHE,
    "box/usr/share/doc/golang-1.27-go/copyright":
      "Format: https://example.org/copyright-format/1.0/\n\nFiles: *\nCopyright: 2009 Go\nLicense: BSD-3-clause\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, path, ".."), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return { moduleCaches: [join(dir, "a"), join(dir, "b")], toolboxRoot: join(dir, "box"), version: "0.1.0" };
}

test("a program of ours has the release's version, and no folder of ours among its modules", () => {
  const { id, version, licence, purl, cpe, dependsOn } = goBinary(OURS, "cni", sha256("cni"), RULES);
  assert.deepEqual([id, version, licence, cpe], ["binary:cni", "0.1.0", "Apache-2.0", null]);
  assert.equal(purl, "pkg:generic/dodeka-cni@0.1.0");
  assert.deepEqual(dependsOn, [LIB, STDLIB]);
});

test("a program of upstream has its module's version, and the C libraries that it is linked with", () => {
  const { version, purl, cpe, dependsOn } = goBinary(UPSTREAM, "runc", sha256("runc"), RULES);
  assert.deepEqual([version, purl], ["v1.5.2", "pkg:generic/runc@1.5.2"]);
  assert.equal(cpe, "cpe:2.3:a:linuxfoundation:runc:1.5.2:*:*:*:*:*:*:*");
  assert.deepEqual(dependsOn, ["pkg:deb/debian/libc6-dev@2", LIB, RUNC, STDLIB]);
});

test("modules are found in whichever cache holds them, upstream's own among them", async () => {
  const { components } = await describeGoModules([OURS, UPSTREAM], sources());
  assert.deepEqual(
    components.map(({ id, licence }) => [id, licence]),
    [
      [LIB, "MIT"],
      [RUNC, "Apache-2.0"],
      [STDLIB, "BSD-3-Clause"],
    ],
  );
  const binary = goBinary(UPSTREAM, "runc", sha256("runc"), RULES);
  assert.equal(withModuleLicence(binary, UPSTREAM, components).licence, "Apache-2.0");
  const own = goBinary(OURS, "cni", sha256("cni"), RULES);
  assert.equal(withModuleLicence(own, OURS, components), own);
});

test("a module without a licence file stops the release", async () => {
  const from = sources();
  await assert.rejects(describeGoModules([UPSTREAM], { ...from, moduleCaches: from.moduleCaches.slice(1) }), {
    code: "FORMAT_INVALID",
  });
});
