// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRelease, renderRelease } from "../../builder/release/manifest.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";

const { release } = fakeRelease();
const changed = (change: Readonly<Record<string, unknown>>): string => JSON.stringify({ ...release, ...change });
const withKernelPart = (change: Readonly<Record<string, unknown>>): string =>
  changed({ parts: { ...release.parts, kernel: { ...release.parts.kernel, ...change } } });

test("a release reads back as it was written", () => {
  assert.deepEqual(parseRelease(renderRelease(release), "release"), release);
});

const WRONG: readonly (readonly [what: string, text: string, field: string])[] = [
  ["no JSON", "a package perhaps", "document"],
  ["null", "null", "document"],
  ["another format", changed({ format: 2 }), "format"],
  ["another architecture", changed({ arch: "arm64" }), "arch"],
  ["a version that could leave its folder", changed({ version: "../1" }), "version"],
  ["a version with a space", changed({ version: "1 quiet" }), "version"],
  ["a version that is a number", changed({ version: 1 }), "version"],
  ["a negative epoch", changed({ epochSeconds: -1 }), "epochSeconds"],
  ["no kernel", changed({ kernel: undefined }), "kernel"],
  ["a kernel without a name", changed({ kernel: { ...release.kernel, release: "" } }), "kernel.release"],
  ["a flag that is a text", changed({ kernel: { ...release.kernel, nxCompatible: "yes" } }), "kernel.nxCompatible"],
  ["no root", changed({ root: null }), "root"],
  ["a root hash that is none", changed({ root: { hash: "abc", dataBlocks: 1 } }), "root.hash"],
  ["a root without blocks", changed({ root: { ...release.root, dataBlocks: 0 } }), "root.dataBlocks"],
  ["no parts", changed({ parts: [] }), "parts"],
  ["a part that is missing", changed({ parts: { ...release.parts, "grub-cd": undefined } }), "parts.grub-cd"],
  ["a part without a digest", withKernelPart({ digest: "x" }), "parts.kernel"],
  ["a part without bytes", withKernelPart({ size: 0 }), "parts.kernel"],
  ["a part without a licence", withKernelPart({ licence: undefined }), "parts.kernel"],
  ["a part without an origin", withKernelPart({ origin: "deb:x" }), "parts.kernel"],
];

for (const [what, text, field] of WRONG) {
  test(`parseRelease refuses ${what}`, () => {
    assert.throws(
      () => parseRelease(text, "r"),
      (error: { code: string; details: { field: string } }) => {
        assert.deepEqual([error.code, error.details.field], ["RELEASE_INVALID", field]);
        return true;
      },
    );
  });
}
