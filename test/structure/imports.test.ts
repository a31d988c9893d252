// SPDX-License-Identifier: Apache-2.0
// Imports point one way: main -> commands -> artifacts, release -> encode, plan -> layout, profile -> errors. The pure
// folders never import host, the thin shell around the operating system. Cycles are the linter's (import/no-cycle).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { ROOT, trackedFiles } from "./tracked-files.ts";

/** What sbom/ and each folder of builder/ may import, besides itself and errors.ts. A trailing slash allows the whole folder. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  layout: [],
  profile: ["report/markdown-table.ts"],
  report: [],
  plan: ["layout/", "profile/"],
  sbom: ["layout/", "plan/"],
  encode: ["layout/"],
  artifacts: ["encode/", "plan/", "layout/", "profile/"],
  compare: ["layout/", "evidence/json.ts", "report/plain-text.ts"],
  registry: ["layout/", "evidence/json.ts", "host/patience.ts", "host/read-bounded.ts"],
  scan: ["layout/", "evidence/json.ts", "release/debian-version.ts", "report/plain-text.ts"],
  host: ["encode/", "layout/"],
  evidence: ["encode/", "plan/", "layout/", "profile/"],
  release: ["../sbom/", "compare/", "host/", "encode/", "layout/", "plan/canonical-json.ts"],
  commands: [
    "../sbom/",
    "artifacts/",
    "compare/",
    "evidence/",
    "registry/",
    "release/",
    "scan/",
    "host/",
    "encode/",
    "plan/",
    "layout/",
    "profile/",
    "report/",
  ],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Relative imports of one file, as paths below builder/ (or starting with ../ when they leave it). */
function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  const from = relative("builder", file);
  return [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gms)].map((match) => {
    return { from, to: relative("builder", normalize(join(dirname(file), match[1] ?? match[2] ?? ""))) };
  });
}

function isAllowed({ from, to }: Import): boolean {
  const isSbom = from.startsWith("../sbom/");
  const folder = isSbom ? "sbom" : (from.split("/")[0] ?? "");
  if (isSbom && to.startsWith("../sbom/")) return true;
  if (!from.includes("/")) return !to.startsWith("../");
  if (to === "errors.ts" || to.startsWith(`${folder}/`)) return true;
  return (ALLOWED[folder] ?? []).some((rule) => (rule.endsWith("/") ? to.startsWith(rule) : to === rule));
}

const imports = trackedFiles()
  .filter((f) => /^(builder|sbom)\/.*\.ts$/.test(f))
  .flatMap(importsOf);

test("imports point downward", () => {
  assert.ok(imports.length > 200, `found only ${imports.length} imports: the pattern no longer matches`);
  assert.deepEqual(
    imports.filter((i) => !isAllowed(i)).map((i) => `${i.from} -> ${i.to}`),
    [],
  );
});

test("a forbidden import is noticed", () => {
  assert.equal(isAllowed({ from: "layout/gpt.ts", to: "host/store.ts" }), false);
  assert.equal(isAllowed({ from: "host/store.ts", to: "commands/build.ts" }), false);
  assert.equal(isAllowed({ from: "commands/build.ts", to: "../test/foreign/judge.ts" }), false);
  assert.equal(isAllowed({ from: "../sbom/spdx.ts", to: "host/store.ts" }), false);
  assert.equal(isAllowed({ from: "layout/gpt.ts", to: "../sbom/spdx.ts" }), false);
  assert.equal(isAllowed({ from: "artifacts/iso.ts", to: "layout/gpt.ts" }), true);
});
