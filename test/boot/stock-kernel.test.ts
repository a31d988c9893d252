// SPDX-License-Identifier: Apache-2.0
// The quick start's release: images with Debian's stock kernel boot under both firmwares. Drivers are modules there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { buildImages } from "../foreign/built-images.ts";
import { bootAndCheck } from "./booted-machine.ts";
import { checkFullBoot, readyWithAddress } from "./full-boot.ts";

const stock = await findReleaseWith(await openStore(readSettings().storeDir), "stock");
assert.ok(stock !== undefined, "no release with the stock kernel: run `dodeka release build --kernel stock`");
const images = await buildImages(["raw", "iso"], { release: stock.digest });

for (const [kind, firmware, as] of [
  ["raw", "bios", "disk"],
  ["raw", "uefi", "nvme"],
  ["iso", "uefi", "cdrom"],
] as const) {
  const name = `stock kernel, ${kind} as ${as} under ${firmware}`;
  test(`${name} boots to the status screen and powers off`, async () => {
    const options = { image: images.path(kind), spec: { firmware, as }, until: readyWithAddress(), screenshot: true };
    await bootAndCheck(name, options, (boot) => checkFullBoot(boot, images.core));
  });
}
