// SPDX-License-Identifier: Apache-2.0
// Compiles everything of the stock release in a second place, upstream's programs included, and compares the releases.
// It takes as long as a first build on one processor, so that it is no part of `npm test`.
// Run: node builder/launch.mjs --exec test/reproduce/upstream-again.ts
import { findReleaseWith, loadRelease } from "../../builder/commands/load-release.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { prepareSecondToolbox, runSecond } from "./second-build.ts";
import { makeSecondHome } from "./second-home.ts";

const first = await findReleaseWith(await openStore(readSettings().storeDir), "stock");
if (first === undefined) throw new Error("no release with the stock kernel: dodeka release build --kernel stock");
const home = await makeSecondHome([]);
try {
  await prepareSecondToolbox(home);
  const started = performance.now();
  await runSecond(home, "builder/main.ts", ["release", "build", "--kernel", "stock"]);
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  const second = await loadRelease(await openStore(home.storeDir));
  const differing = Object.entries(first.release.parts).filter(
    ([name, { digest }]) => second.release.parts[name]?.digest !== digest,
  );
  for (const [name] of differing) console.log(`DIFFERENT ${name}`);
  console.log(
    `${first.digest === second.digest ? "equal" : "DIFFERENT"}: release ${first.digest}, again in ${minutes} minutes`,
  );
  process.exitCode = first.digest === second.digest ? 0 : 1;
} finally {
  await removeTree(home.base);
}
