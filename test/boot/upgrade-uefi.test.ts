// SPDX-License-Identifier: Apache-2.0
// Versions under systemd-boot: kept, rolled back, and one that panics, which falls back by itself.
import { test } from "node:test";
import { TRIAL_MS, Upgraded, checkEnd, upgradeOnce } from "./upgraded-machine.ts";

test("a machine started by UEFI takes another version, and goes back", async (t) => {
  const upgraded = await Upgraded.install("uefi", ["1.13.6", "0.3.0"]);
  t.after(() => upgraded.cut());
  await upgradeOnce(t, upgraded);

  await t.test("rollback starts the version before", async () => {
    await upgraded.owner.admin.ok(["rollback"]);
    await upgraded.resets();
    await upgraded.runs(upgraded.first);
  });

  await t.test("a version whose kernel panics falls back by itself", async () => {
    await upgraded.ask("0.3.0");
    await upgraded.resets();
    const machine = await upgraded.resets();
    await machine.waitFor(/upgrade: version 0\.3\.0 failed: it ended before the machine was well/, TRIAL_MS);
    await upgraded.runs(upgraded.first);
  });

  await checkEnd(t, upgraded);
});
