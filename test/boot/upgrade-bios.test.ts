// SPDX-License-Identifier: Apache-2.0
// Versions under GRUB: kept, and one that never gets well, which is given up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TRIAL_MS, Upgraded, checkEnd, upgradeOnce } from "./upgraded-machine.ts";

test("a machine started by BIOS takes another version, and goes back", async (t) => {
  const upgraded = await Upgraded.install("bios", ["1.13.6", "0.4.0"]);
  t.after(() => upgraded.cut());
  await upgradeOnce(t, upgraded);

  await t.test("a version that never gets well is given up, and why is kept", async () => {
    await upgraded.ask("0.4.0");
    const tried = await upgraded.resets();
    await tried.waitFor(/upgrade: version 0\.4\.0 failed: the machine has no address/, TRIAL_MS);
    await upgraded.resets();
    await upgraded.runs("1.13.6");
    const kept = await upgraded.owner.admin.ok(["get", "metakeys", "--output", "yaml"]);
    assert.match(kept, /"state":"failed","reason":"the machine has no address"/);
  });

  await checkEnd(t, upgraded);
});
