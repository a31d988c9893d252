// SPDX-License-Identifier: Apache-2.0
// Unpacks the release's base initramfs with zstd and cpio, frame after frame as the kernel does.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Judge } from "./judge.ts";

/** $1: folder, $2: a frame, with up to three zeros behind it that the kernel would skip. Device nodes need privileges. */
const UNPACK = `
set -o pipefail
cd "$1"
for _ in 1 2 3; do zstd -tq "$2" 2>/dev/null && break; truncate -s -1 "$2"; done
zstd -dqc "$2" | cpio -itv --quiet
zstd -dqc "$2" | cpio -idm --quiet -f dev/console
`;

/** Makes `tree` (below `dir`) and fills it. Returns the long listing of every archive. */
export async function unpackInitramfs(
  run: Judge,
  bytes: Buffer,
  dir: string,
  tree: string,
): Promise<readonly string[]> {
  mkdirSync(tree);
  // cpio stops at the first trailer, zstd at zeros between frames: so each frame goes through both by itself.
  const listing: string[] = [];
  for (const [index, frame] of splitFrames(bytes).entries()) {
    const file = join(dir, `frame-${index}.zst`);
    writeFileSync(file, frame);
    const { exitCode, stdout, stderr } = await run(["bash", "-c", UNPACK, "-", tree, file], [dir]);
    assert.equal(stderr, "");
    assert.equal(exitCode, 0);
    listing.push(...stdout.trim().split("\n"));
  }
  return listing;
}

/** Frames begin with their magic at a multiple of 4, behind zeros. Spec: RFC 8878 section 3.1.1. */
function splitFrames(bytes: Buffer): readonly Buffer[] {
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const second = bytes.lastIndexOf(magic);
  assert.ok(bytes.indexOf(magic) === 0 && second > 0 && second % 4 === 0, "not two frames");
  return [bytes.subarray(0, second), bytes.subarray(second)];
}
