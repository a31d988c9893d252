// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { parseModuleGroups } from "../../builder/release/module-groups.ts";
import {
  checkRequirements,
  checkWaivers,
  describeConfigChange,
  parseHardeningReport,
  parseRequirements,
  parseWaivers,
  unmetRequirements,
} from "../../builder/release/kernel-check.ts";
import { ROOT } from "../structure/tracked-files.ts";

const isInvalid = (error: unknown): boolean => error instanceof FactoryError && error.code === "RELEASE_INVALID";

const REQUIREMENTS = parseRequirements(`
- group: pods
  state: builtin
  options: { A: needed, B|C: either }
- group: volumes
  state: extension
  options: { D: volumes }
- group: closed
  state: "off"
  options: { E: a hole }
`);

const configurations = [
  { name: "everything", config: "CONFIG_A=y\nCONFIG_C=y\nCONFIG_D=m\n", unmet: [] },
  { name: "an extension's option built in", config: "CONFIG_A=y\nCONFIG_B=y\nCONFIG_D=y\n", unmet: [] },
  { name: "a module where built in is asked for", config: "CONFIG_A=m\nCONFIG_B=y\nCONFIG_D=m\n", unmet: ["A"] },
  { name: "neither alternative", config: "CONFIG_A=y\nCONFIG_D=m\n", unmet: ["B"] },
  { name: "a forbidden module", config: "CONFIG_A=y\nCONFIG_B=y\nCONFIG_D=m\nCONFIG_E=m\n", unmet: ["E"] },
  { name: "a comment that only looks like a value", config: "# CONFIG_A=y\n", unmet: ["A", "B", "D"] },
];

for (const { name, config, unmet } of configurations) {
  test(`requirements see ${name}`, () => {
    assert.deepEqual(
      unmetRequirements(config, REQUIREMENTS).map((f) => f.requirement.symbols[0]),
      unmet,
    );
  });
}

test("unmet requirements are told with value and reason", () => {
  assert.throws(
    () => checkRequirements("CONFIG_A=m\nCONFIG_C=y\nCONFIG_D=m\n", REQUIREMENTS),
    (error) =>
      error instanceof FactoryError &&
      error.code === "RELEASE_INVALID" &&
      error.details.output === "CONFIG_A=m, must be builtin: needed (pods)",
  );
});

const brokenRequirements = [
  "a: b",
  "- group: x\n  state: maybe\n  options: { A: why }",
  "- group: x\n  state: builtin\n  options: { A: '' }",
  "- group: x\n  state: builtin\n  options: { 'A B': why }",
  "- group: x\n  state: builtin\n  options: { A: why }\n- group: y\n  state: 'off'\n  options: { A: why }",
];

for (const text of brokenRequirements) {
  test(`requirements refuse ${JSON.stringify(text)}`, () => assert.throws(() => parseRequirements(text), isInvalid));
}

const REPORT = JSON.stringify([
  { option_name: "CONFIG_GOOD", desired_val: "y", check_result: "OK", check_result_bool: true },
  { option_name: "CONFIG_BAD", desired_val: "y", check_result: "FAIL", check_result_bool: false },
]);

test("the hardening report is read", () => {
  const failed = [{ option: "CONFIG_BAD", desired: "y", result: "FAIL" }];
  assert.deepEqual(parseHardeningReport(REPORT), { passed: 1, failed });
});

const waivers = [
  { name: "a waived finding", waivers: "CONFIG_BAD: costs too much", passes: true },
  { name: "a finding without a waiver", waivers: "", passes: false },
  { name: "a waiver without a finding", waivers: "CONFIG_BAD: why\nCONFIG_GOOD: why", passes: false },
  { name: "a waiver without a reason", waivers: "CONFIG_BAD:", passes: false },
];

for (const { name, waivers: text, passes } of waivers) {
  test(`waivers: ${name} ${passes ? "passes" : "is refused"}`, () => {
    const run = (): void => checkWaivers(parseHardeningReport(REPORT).failed, parseWaivers(text));
    if (passes) run();
    else assert.throws(run, isInvalid);
  });
}

test("a change of configuration is told an option a line", () => {
  const [before, after] = ["CONFIG_A=y\nCONFIG_B=m\nCONFIG_D=1\n", "CONFIG_A=y\nCONFIG_C=m\nCONFIG_D=2\n"];
  assert.deepEqual(describeConfigChange(before, after), ["- B=m", "+ C=m", "D: 1 -> 2"]);
});

test("the files of kernel-config parse", () => {
  const read = (name: string): string => readFileSync(join(ROOT, "kernel-config", name), "utf8");
  assert.ok(parseRequirements(read("requirements.yaml")).length > 250);
  assert.ok(parseWaivers(read("waivers.yaml")).size > 0);
  assert.ok(parseModuleGroups(read("module-groups.yaml")).length > 0);
});
