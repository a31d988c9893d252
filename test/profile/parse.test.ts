// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FactoryError, FactoryErrors } from "../../builder/errors.ts";
import { locateProblem, MAX_PROBLEMS, parseProfile } from "../../builder/profile/parse.ts";
import { renderError } from "../../builder/report/error-text.ts";
import { matchGolden } from "../report/golden.ts";

const HEAD = "format: 1\nname: edge\nplatform: metal\n";

/** `line:column field` of every problem. */
function problemsOf(text: string): readonly string[] {
  try {
    parseProfile(text, "p.yaml");
    return [];
  } catch (error) {
    assert.ok(error instanceof FactoryErrors, String(error));
    return error.problems.map(({ code, details }) => {
      assert.equal(code, "PROFILE_INVALID");
      assert.equal(details.file, "p.yaml");
      return `${details.line}:${details.column} ${details.field ?? "-"}`;
    });
  }
}

test("parseProfile fills in every default when only required fields are there", () => {
  assert.deepEqual(parseProfile(HEAD, "p.yaml"), {
    format: 1,
    name: "edge",
    platform: "metal",
    arch: "amd64",
    outputs: ["raw", "iso", "uki"],
    kernelArguments: { add: [], remove: [] },
    console: ["tty0", "ttyS0"],
    disk: { espSizeBytes: 512 * 1024 * 1024, sectorSize: 512 },
    machineConfig: { kind: "none" },
  });
});

test("parseProfile gives each caller defaults of its own", () => {
  const first = parseProfile(HEAD, "p.yaml");
  (first.console as string[]).push("hvc0");
  assert.deepEqual(parseProfile(HEAD, "p.yaml").console, ["tty0", "ttyS0"]);
});

test("the metal profile that ships spells out the defaults", () => {
  const text = readFileSync(new URL("../../profiles/metal.yaml", import.meta.url), "utf8");
  const defaults = parseProfile("format: 1\nname: metal\nplatform: metal\n", "p.yaml");
  assert.deepEqual(parseProfile(text, "profiles/metal.yaml"), defaults);
});

test("parseProfile reads what is written", () => {
  const cases: readonly { name: string; yaml: string; want: object }[] = [
    { name: "outputs are a set", yaml: "outputs: [uki, raw]", want: { outputs: ["raw", "uki"] } },
    { name: "no console", yaml: "console: []", want: { console: [] } },
    {
      name: "sizes with and without unit",
      yaml: "disk: {espSize: 104857600, sectorSize: 4096}",
      want: { disk: { espSizeBytes: 104857600, sectorSize: 4096 } },
    },
    {
      name: "order and quotes of kernel arguments",
      yaml: "kernelArguments:\n  add: [b=1, a, 'dyndbg=\"file x +p\"']",
      want: { kernelArguments: { add: ["b=1", "a", 'dyndbg="file x +p"'], remove: [] } },
    },
    {
      name: "a file, its path in normal form",
      yaml: "machineConfig:\n  file: ./node/a..b.yaml",
      want: { machineConfig: { kind: "file", path: "node/a..b.yaml" } },
    },
    {
      name: "an inline machine configuration, unread",
      yaml: "machineConfig:\n  inline: |\n    a: &x\n    b: *x\n",
      want: { machineConfig: { kind: "inline", text: "a: &x\nb: *x\n" } },
    },
    { name: "line breaks of Windows", yaml: "arch: amd64\r\nconsole: [hvc0]\r\n", want: { console: ["hvc0"] } },
  ];
  for (const { name, yaml, want } of cases) {
    const profile = parseProfile(`${HEAD}${yaml}\n`, "p.yaml");
    assert.deepEqual({ ...profile, ...want }, profile, name);
  }
});

test("parseProfile points at the wrong value", () => {
  const cases: readonly { name: string; yaml: string; want: readonly string[] }[] = [
    { name: "unknown field", yaml: "outptus: [raw]", want: ["4:1 outptus"] },
    { name: "unknown nested field", yaml: "disk:\n  size: 1GiB", want: ["5:3 disk.size"] },
    { name: "hidden prototype", yaml: "__proto__: {arch: amd64}", want: ["4:1 __proto__"] },
    { name: "no such platform format", yaml: "arch: x86_64", want: ["4:7 arch"] },
    { name: "planned architecture", yaml: "arch: arm64", want: ["4:7 arch"] },
    { name: "empty outputs", yaml: "outputs: []", want: ["4:10 outputs"] },
    { name: "no such output", yaml: "outputs: [raw, qcow]", want: ["4:16 outputs[1]"] },
    { name: "output twice", yaml: "outputs: [raw, iso, raw]", want: ["4:21 outputs[2]"] },
    { name: "not a list", yaml: "outputs: raw", want: ["4:10 outputs"] },
    { name: "field without value", yaml: "disk:", want: ["4:6 disk"] },
    { name: "sector size", yaml: "disk:\n  sectorSize: 513", want: ["5:15 disk.sectorSize"] },
    { name: "sector size as text", yaml: "disk:\n  sectorSize: '512'", want: ["5:15 disk.sectorSize"] },
    { name: "ESP below FAT32", yaml: "disk: {espSize: 33MiB}", want: ["4:17 disk.espSize"] },
    { name: "ESP above 1 TiB", yaml: "disk: {espSize: 1025GiB}", want: ["4:17 disk.espSize"] },
    { name: "ESP of an odd size", yaml: "disk: {espSize: 104857601}", want: ["4:17 disk.espSize"] },
    { name: "ESP infinite", yaml: "disk: {espSize: .inf}", want: ["4:17 disk.espSize"] },
    { name: "ESP in powers of ten", yaml: "disk: {espSize: 512MB}", want: ["4:17 disk.espSize"] },
    { name: "console as a path", yaml: "console: [/dev/ttyS0]", want: ["4:11 console[0]"] },
    { name: "console with a second argument", yaml: "console: ['tty0 init=/x']", want: ["4:11 console[0]"] },
    {
      name: "trust anchor set",
      yaml: "kernelArguments:\n  add: [dodeka.root=x]",
      want: ["5:9 kernelArguments.add[0]"],
    },
    {
      name: "trust anchor removed",
      yaml: "kernelArguments:\n  remove: [quiet, dodeka.roothash]",
      want: ["5:19 kernelArguments.remove[1]"],
    },
    { name: "entry that is no string", yaml: "kernelArguments:\n  add: [1]", want: ["5:9 kernelArguments.add[0]"] },
    {
      name: "too many arguments are one problem",
      yaml: `kernelArguments:\n  add: [${"' ',".repeat(200)}]`,
      want: ["5:8 kernelArguments.add"],
    },
    { name: "empty machine configuration", yaml: "machineConfig: {}", want: ["4:16 machineConfig"] },
    { name: "both kinds", yaml: "machineConfig: {file: a, inline: b}", want: ["4:16 machineConfig"] },
    { name: "file outside", yaml: "machineConfig: {file: a/../../b}", want: ["4:23 machineConfig.file"] },
    { name: "file at the root", yaml: "machineConfig: {file: /etc/shadow}", want: ["4:23 machineConfig.file"] },
    { name: "file of Windows", yaml: "machineConfig: {file: 'a\\b'}", want: ["4:23 machineConfig.file"] },
    { name: "file with a NUL", yaml: 'machineConfig: {file: "a\\0"}', want: ["4:23 machineConfig.file"] },
    { name: "folder", yaml: "machineConfig: {file: a/}", want: ["4:23 machineConfig.file"] },
    {
      name: "several, in source order",
      yaml: "console: 1\narch: 2\ndisk: {x: 1, sectorSize: 1}\n",
      want: ["4:10 console", "5:7 arch", "6:8 disk.x", "6:26 disk.sectorSize"],
    },
  ];
  for (const { name, yaml, want } of cases) assert.deepEqual(problemsOf(`${HEAD}${yaml}\n`), want, name);
});

test("parseProfile refuses the dangerous parts of YAML with their place", () => {
  const bomb = `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n`;
  const cases: readonly { name: string; text: string; want: readonly string[] }[] = [
    { name: "nothing", text: "", want: ["1:1 -"] },
    { name: "comments only", text: "# nothing\n", want: ["1:1 -"] },
    { name: "a list", text: "- format: 1\n", want: ["1:1 -"] },
    { name: "required fields absent", text: "format: 1\n", want: ["1:1 name", "1:1 platform"] },
    { name: "another format version", text: HEAD.replace("1", "2"), want: ["1:9 format"] },
    { name: "a required field misspelt", text: HEAD.replace("name", "nmae"), want: ["2:1 nmae"] },
    { name: "a bad name", text: HEAD.replace("edge", "Edge_1"), want: ["2:7 name"] },
    { name: "a name of 64", text: HEAD.replace("edge", "e".repeat(64)), want: ["2:7 name"] },
    { name: "repeated key", text: `${HEAD}name: b\n`, want: ["4:1 name"] },
    { name: "repeated key and another problem", text: `${HEAD}name: b\narch: 1\n`, want: ["4:1 name", "5:7 arch"] },
    { name: "aliases", text: bomb, want: ["1:7 -", "2:7 -", "2:8 -", "2:12 -", "3:5 -", "3:9 -"] },
    { name: "a tag", text: `${HEAD}arch: !!str amd64\n`, want: ["4:13 -"] },
    { name: "a tag of no one", text: `${HEAD}arch: !x amd64\n`, want: ["4:7 -"] },
    { name: "a directive", text: `%YAML 1.1\n---\n${HEAD}`, want: ["1:1 -"] },
    { name: "a second document", text: `${HEAD}---\n${HEAD}`, want: ["4:1 -"] },
    { name: "a key that is a list", text: `${HEAD}? [a]\n: 1\n`, want: ["4:3 -"] },
    { name: "a key that is a number", text: `${HEAD}1: 1\n`, want: ["4:1 1"] },
    { name: "a merge key", text: `${HEAD}<<: {arch: amd64}\n`, want: ["4:1 <<"] },
    { name: "a tab", text: `${HEAD}disk:\n\tespSize: 1GiB\n`, want: ["5:1 -"] },
    { name: "a byte order mark", text: `\ufeff${HEAD}`, want: ["1:1 -"] },
    { name: "a NUL", text: `${HEAD}\0`, want: ["4:1 -"] },
    { name: "an undecodable byte", text: `${HEAD}# \ufffd`, want: ["4:3 -"] },
    { name: "half a surrogate pair", text: `${HEAD}# \ud800`, want: ["4:3 -"] },
    { name: "reordered text", text: `${HEAD}# a\u202eb`, want: ["4:4 -"] },
    { name: "an escape sequence", text: `${HEAD}# \u001b[31m`, want: ["4:3 -"] },
    { name: "an open quote", text: `name: "x\n`, want: ["2:1 -"] },
    { name: "deep nesting", text: `name: ${"[".repeat(20)}${"]".repeat(20)}`, want: ["1:22 -"] },
    { name: "very deep nesting", text: "[".repeat(50_000), want: ["1:1 -"] },
    { name: "too much text", text: `# ${"\u00e9".repeat(131_072)}`, want: ["1:1 -"] },
  ];
  for (const { name, text, want } of cases) assert.deepEqual(problemsOf(text), want, name);
});

test("parseProfile accepts a profile of exactly 256 KiB", () => {
  const text = `${HEAD}#`;
  assert.deepEqual(problemsOf(text.padEnd(256 * 1024, "x")), []);
  assert.deepEqual(problemsOf(text.padEnd(256 * 1024 + 1, "x")), ["1:1 -"]);
});

test("parseProfile lists a bounded number of problems and counts the rest", () => {
  const unknown = Array.from({ length: 20_000 }, (_, i) => `x${i}:\n`).join("");
  const problems = problemsOf(HEAD + unknown);
  assert.equal(problems.length, MAX_PROBLEMS + 1);
  assert.equal(problems[0], "4:1 x0");
});

test("the wording of profile errors is as agreed", () => {
  const text = readFileSync(new URL("golden/wrong.yaml", import.meta.url), "utf8");
  assert.throws(
    () => parseProfile(text, "wrong.yaml"),
    (error) => {
      matchGolden(new URL("golden/wrong.txt", import.meta.url), `${renderError(error, { color: false })}\n`);
      return true;
    },
  );
});

test("locateProblem finds the place of a field that a later stage complains about", () => {
  const text = `${HEAD}disk:\n  espSize: 34MiB\nkernelArguments: {remove: [quiet]}\n`;
  const cases: readonly { field: string; want: string }[] = [
    { field: "disk.espSize", want: "p.yaml 5:12" },
    { field: "kernelArguments.remove[0]", want: "p.yaml 6:28" },
    { field: "kernelArguments", want: "p.yaml 6:18" },
    { field: "disk.sectorSize", want: "undefined undefined:undefined" },
    { field: "ESP content", want: "undefined undefined:undefined" },
  ];
  for (const { field, want } of cases) {
    const error = new FactoryError({ code: "PLAN_IMPOSSIBLE", field, expected: "more", fix: "give it" });
    const { details } = locateProblem(error, text, "p.yaml");
    assert.equal(`${details.file} ${details.line}:${details.column}`, want, field);
    assert.equal(details.code, "PLAN_IMPOSSIBLE");
  }
});
