// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readEvidenceFiles, streamArtifact } from "../../builder/host/evidence-files.ts";
import { withReadableFile } from "../../builder/host/readable-file.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { temporaryDirectory } from "./temp-store.ts";

const dir = temporaryDirectory();
const image = join(dir, "image");

test("streamArtifact hashes what is longer than its buffer", async () => {
  const bytes = Buffer.alloc(3_000_000, "artifact");
  writeFileSync(image, bytes);
  const { size, digest } = await streamArtifact(image, false);
  assert.deepEqual([size, digest], [bytes.length, sha256(bytes)]);
});

const ODD: Readonly<Record<string, (path: string) => void>> = {
  "a pipe": (path) => execFileSync("/bin/sh", ["-c", `mkfifo "$0"`, path]),
  "a device": (path) => symlinkSync("/dev/zero", path),
  "a dangling link": (path) => symlinkSync("/nowhere", path),
};

for (const [name, make] of Object.entries(ODD)) {
  test(`${name} is refused at once as an artifact and as an image`, async () => {
    const path = join(dir, name);
    make(path);
    await assert.rejects(streamArtifact(path, false), { code: "USAGE" });
    await assert.rejects(
      withReadableFile(path, async () => undefined),
      { code: "USAGE" },
    );
  });
}

test("readEvidenceFiles takes four files of full size, in however many files", async () => {
  for (let i = 0; i < 4; i++) writeFileSync(`${image}.k${i}.json`, "0123456789");
  assert.equal((await readEvidenceFiles(image, 10)).size, 4);
  writeFileSync(`${image}.k4.json`, "");
  assert.equal((await readEvidenceFiles(image, 10)).size, 5);
  writeFileSync(`${image}.k5.json`, "0");
  await assert.rejects(readEvidenceFiles(image, 10), { code: "EVIDENCE_INVALID" });
});
