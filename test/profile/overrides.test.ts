// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryErrors } from "../../builder/errors.ts";
import { applyOverrides, profileOptions } from "../../builder/profile/overrides.ts";
import type { ProfileOverrides } from "../../builder/profile/overrides.ts";
import { parseProfile } from "../../builder/profile/parse.ts";

const YAML = `format: 1
name: edge
platform: metal
kernelArguments: {add: [quiet], remove: [console]}
disk: {espSize: 100MiB}
machineConfig: {file: a.yaml}
`;

test("applyOverrides changes the named fields and leaves its argument alone", () => {
  const profile = parseProfile(YAML, "p.yaml");
  const before = structuredClone(profile);
  const cases: readonly { given: ProfileOverrides; want: object }[] = [
    { given: {}, want: {} },
    { given: { outputs: ["uki", "raw"] }, want: { outputs: ["raw", "uki"] } },
    { given: { arch: "amd64" }, want: { arch: "amd64" } },
    { given: { addArguments: ["b"] }, want: { kernelArguments: { add: ["quiet", "b"], remove: ["console"] } } },
    { given: { removeArguments: ["c"] }, want: { kernelArguments: { add: ["quiet"], remove: ["console", "c"] } } },
    { given: { console: [] }, want: { console: [] } },
    { given: { espSize: "1GiB" }, want: { disk: { espSizeBytes: 1024 ** 3, sectorSize: 512 } } },
    { given: { sectorSize: "4096" }, want: { disk: { espSizeBytes: 100 * 1024 ** 2, sectorSize: 4096 } } },
  ];
  for (const { given, want } of cases) {
    assert.deepEqual(applyOverrides(profile, given), { ...before, ...want }, JSON.stringify(given));
    assert.deepEqual(profile, before);
  }
});

test("applyOverrides keeps an inline machine configuration", () => {
  const profile = parseProfile(YAML.replace("file: a.yaml", "inline: 'x: 1'"), "p.yaml");
  assert.deepEqual(applyOverrides(profile, { arch: "amd64" }).machineConfig, { kind: "inline", text: "x: 1" });
});

test("applyOverrides names the option that is wrong", () => {
  const profile = parseProfile(YAML, "p.yaml");
  const cases: readonly { given: ProfileOverrides; want: readonly string[] }[] = [
    { given: { addArguments: ["ok", "dodeka.root=x"] }, want: ["--kernel-arg"] },
    { given: { addArguments: ["quiet"] }, want: ["--kernel-arg"] },
    { given: { addArguments: ["a b"], removeArguments: ["init"] }, want: ["--kernel-arg", "--remove-kernel-arg"] },
    { given: { outputs: [] }, want: ["--output"] },
    { given: { outputs: ["qcow2"] }, want: ["--output"] },
    { given: { arch: "arm64" }, want: ["--arch"] },
    { given: { espSize: "1GB" }, want: ["--esp-size"] },
    { given: { sectorSize: "513" }, want: ["--sector-size"] },
    { given: { sectorSize: "512 " }, want: ["--sector-size"] },
    { given: { console: ["/dev/tty0"] }, want: ["--console"] },
  ];
  for (const { given, want } of cases) {
    assert.throws(
      () => applyOverrides(profile, given),
      (error) => {
        assert.ok(error instanceof FactoryErrors);
        assert.ok(error.problems.every(({ code }) => code === "USAGE"));
        const fields = error.problems.map(({ details }) => details.field);
        assert.deepEqual(fields, want, JSON.stringify(given));
        return true;
      },
    );
  }
});

test("profileOptions lists each option once, with help", () => {
  const options = profileOptions();
  assert.equal(new Set(options.map(({ flag }) => flag)).size, options.length);
  assert.deepEqual(
    options.filter(({ repeatable }) => repeatable).map(({ flag }) => flag),
    ["--output", "--kernel-arg", "--remove-kernel-arg", "--console"],
  );
  for (const { flag, help } of options) {
    assert.match(flag, /^--[a-z-]+$/);
    assert.match(help, /^(replaces|extends) [a-zA-Z.]+: \S/);
  }
});
