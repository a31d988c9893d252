// SPDX-License-Identifier: Apache-2.0
// The empty file systems: equal in every run whatever the clock says, sound to e2fsck, and able to grow to terabytes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { volumeTemplatesAction } from "../../builder/release/volume-templates.ts";
import { judge, openBox } from "./judge.ts";

const box = await openBox("compile");
const action = volumeTemplatesAction(box);
const run = await judge();
const dirs = [await make(), await make()];
after(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
const GROWN_BYTES = 2 * 2 ** 40;

async function make(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "volume-templates-"));
  const binds = [{ host: dir, inside: "/build", writable: true }];
  const result = await runInSandbox(box.root, { argv: action.argv, env: action.env, binds, cwd: "/build" }, {});
  assert.equal(result.exitCode, 0, result.stderr);
  return dir;
}

function pathsOf(name: string): readonly string[] {
  return dirs.map((dir) => join(dir, name));
}

for (const name of action.outputs) {
  test(`${name} is the same in two runs`, () => {
    const [first, second] = pathsOf(name).map((path) => createHash("sha256").update(readFileSync(path)).digest("hex"));
    assert.equal(first, second);
  });

  test(`e2fsck accepts ${name}`, async () => {
    const { exitCode, stdout, stderr } = await run(["e2fsck", "-fn", pathsOf(name)[0] ?? ""], dirs);
    assert.equal(exitCode, 0, stdout + stderr);
  });
}

test("resize2fs grows EPHEMERAL to 2 TiB, and e2fsck accepts it", async () => {
  // On a tmpfs, whose files have holes where resize2fs zeroes: on a disk's file system it would take 32 GiB.
  const grow = `cp "$1" /var/tmp/grown; truncate -s ${GROWN_BYTES} /var/tmp/grown; resize2fs -f /var/tmp/grown; e2fsck -fn /var/tmp/grown`;
  const argv = ["sh", "-euc", grow, "grow", pathsOf("ephemeral.ext4")[1] ?? ""];
  const { exitCode, stdout, stderr } = await run(argv, dirs);
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(stdout, / 536870912 \(4k\) blocks/);
});
