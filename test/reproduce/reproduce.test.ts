// SPDX-License-Identifier: Apache-2.0
// Two complete builds, one of them under circumstances that must not matter, give the same release and the same images.
// What takes longest is not compiled twice here: the kernel is Debian's (test/bench/kernel-compile.ts compiles our own in
// two places), upstream's programs are lent to the second place (upstream-again.ts compiles them there).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { makePlan } from "../../builder/commands/build.ts";
import type { LoadedRelease } from "../../builder/commands/load-release.ts";
import { findRelease, loadRelease, saveRelease } from "../../builder/commands/load-release.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { blobPath, openStore } from "../../builder/host/store.ts";
import { OUTPUT_KINDS } from "../../builder/profile/model.ts";
import { ROOT } from "../structure/tracked-files.ts";
import type { Difference, Exception } from "./exceptions.ts";
import { EXCEPTIONS, judgeDifferences, uselessExceptions } from "./exceptions.ts";
import { firstDifference, firstDifferingMember, locateOffset } from "./first-difference.ts";
import { prepareSecondToolbox, runSecond } from "./second-build.ts";
import type { SecondHome } from "./second-home.ts";
import { UPSTREAM_STEPS, makeSecondHome } from "./second-home.ts";

const PROFILES = readdirSync(join(ROOT, "profiles")).flatMap((n) =>
  n.endsWith(".yaml") ? [basename(n, ".yaml")] : [],
);
const MAIN = "builder/main.ts";
const RELEASE_BUILD = ["release", "build", "--kernel", "stock"];

const firstOut = mkdtempSync(join(tmpdir(), "first-"));
const store = await openStore(readSettings().storeDir);
const needed = new Set<Exception>();
let home: SecondHome;
let base: string | undefined;
let currentBefore: LoadedRelease | undefined;
let first: LoadedRelease;

before(async () => {
  currentBefore = await findRelease(store);
  await runFirst(RELEASE_BUILD);
  first = await loadRelease(store);
  home = await makeSecondHome(UPSTREAM_STEPS);
  base = home.base;
  await prepareSecondToolbox(home);
  await runSecond(home, MAIN, RELEASE_BUILD);
});

after(async () => {
  if (currentBefore !== undefined) await saveRelease(store, currentBefore.release);
  await removeTree(firstOut);
  if (base !== undefined) await removeTree(base);
});

test("both builds give the same release", async () => {
  const secondStore = await openStore(home.storeDir);
  const second = await loadRelease(secondStore);
  for (const [name, { digest }] of Object.entries(first.release.parts)) {
    const other = second.release.parts[name];
    assert.ok(other !== undefined, `part ${name} is missing`);
    const offset = await firstDifference(blobPath(store, digest), blobPath(secondStore, other.digest));
    assert.equal(offset, undefined, `part ${name} differs at byte ${offset}`);
  }
  assert.equal(firstDifferingMember(first.release, second.release), undefined);
  assert.equal(first.digest, second.digest);
});

for (const profile of PROFILES) {
  for (const sectorSize of ["512", "4096"] as const) {
    test(`both builds give the same images of ${profile} with sectors of ${sectorSize}`, async () => {
      const name = `${profile}-${sectorSize}`;
      const [a, b] = [join(firstOut, name), join(home.home, name)];
      mkdirSync(a);
      const args = ["--sector-size", sectorSize, "--output", ...OUTPUT_KINDS];
      await runFirst(["build", profile, "--release", first.digest, "--out", a, ...args]);
      await runSecond(home, MAIN, ["build", profile, "--out", b, ...args]);
      const { unexcused, used } = judgeDifferences(await findDifferences(profile, sectorSize, a, b), EXCEPTIONS);
      for (const exception of used) needed.add(exception);
      assert.equal(unexcused.map(({ text }) => text).join("\n"), "");
    });
  }
}

test("every exception was needed", () => {
  assert.deepEqual(uselessExceptions(EXCEPTIONS, needed), []);
});

/** What lies beside each output of a build without a key. */
const EVIDENCE = [".cdx.json", ".provenance.json", ".sha256", ".spdx.json"];

/** Every output and document that differs, with the first differing byte and the field that it lies in. */
async function findDifferences(
  profile: string,
  sectorSize: "512" | "4096",
  a: string,
  b: string,
): Promise<readonly Difference[]> {
  const overrides = { sectorSize, outputs: OUTPUT_KINDS };
  const { plan } = await makePlan(store, { profile, overrides, release: first.digest });
  const evidence = plan.outputs.flatMap((o) => EVIDENCE.map((suffix) => `${o.file}${suffix}`));
  assert.deepEqual(readdirSync(b).sort(), [...plan.outputs.map((o) => o.file), ...evidence].sort());
  const found: Difference[] = [];
  for (const file of evidence) {
    const offset = await firstDifference(join(a, file), join(b, file));
    if (offset !== undefined) found.push({ file, text: `${file} differs at byte ${offset}` });
  }
  for (const output of plan.outputs) {
    const offset = await firstDifference(join(a, output.file), join(b, output.file));
    const { file } = output;
    if (offset !== undefined)
      found.push({ file, text: `${file} differs at ${offset}: ${locateOffset(output, offset)}` });
  }
  return found;
}

async function runFirst(args: readonly string[]): Promise<string> {
  const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)(process.execPath, [join(ROOT, MAIN), ...args], options)).stdout;
}
