// SPDX-License-Identifier: Apache-2.0
// The locked kernel's own Kconfig against our fragments, and against fragments that ask for what it cannot give.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryErrors } from "../../builder/errors.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { findMirrors } from "../../builder/release/apt-config.ts";
import { fetchPackages } from "../../builder/release/fetch-packages.ts";
import type { ConfiguredKernel } from "../../builder/release/kernel-build.ts";
import { configureKernel, readFragmentFiles } from "../../builder/release/kernel-build.ts";
import { parseConfig } from "../../builder/release/kernel-fragments.ts";
import { findPackage, packagesOf, readLock } from "../../builder/release/lock.ts";
import { openBox } from "../foreign/judge.ts";

/** Configures the locked source with this checkout's fragments and `extra`. */
async function configure(extra: string): Promise<ConfiguredKernel> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const lock = readLock();
  await fetchPackages(store, packagesOf(lock, "kernel-source"), () => findMirrors(settings));
  const context = { store, signal: undefined, onAction: () => (): void => undefined };
  const fragments = new Map([...(await readFragmentFiles("x86")), ["zz-extra.config", extra]]);
  const source = findPackage(lock, "kernel-source", /^linux-source-/);
  return configureKernel(context, { toolbox: await openBox("kernel"), source, arch: "x86", fragments });
}

test("every value of the fragments is honoured", async () => {
  const { config, settings } = await configure("");
  const values = parseConfig(config);
  for (const { symbol, value } of settings) assert.equal(values.get(symbol) ?? "n", value, symbol);
});

test("what Kconfig cannot give is refused at its line, with what it depends on", async () => {
  const wanted = [
    { line: "CONFIG_NOSUCH_OPTION=y", fix: /correct the name/ },
    { line: "CONFIG_KVM=y", fix: /\(VIRTUALIZATION\).*arch\/x86\/kvm\/Kconfig/ },
    { line: "CONFIG_NLS=n", fix: /fs\/nls\/Kconfig/ }, // selected by vfat
  ];
  const extra = ["# for this test", ...wanted.map((w) => w.line), ""].join("\n");
  await assert.rejects(configure(extra), (error) => {
    assert.ok(error instanceof FactoryErrors);
    assert.deepEqual(
      error.problems.map(({ code, details: { file, line } }) => [code, file, line]),
      wanted.map((_, i) => ["RELEASE_INVALID", "kernel-config/fragments/zz-extra.config", i + 2]),
    );
    for (const [i, { fix }] of wanted.entries()) assert.match(error.problems[i]?.details.fix ?? "", fix);
    return true;
  });
});
