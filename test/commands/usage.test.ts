// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { METAL } from "../plan/sample-plans.ts";
import { temporaryDirectory } from "../host/temp-store.ts";
import { dodeka, storeWithRelease } from "./dodeka.ts";

const store = await storeWithRelease();
const dir = temporaryDirectory();
const profile = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return name;
};

const COMMANDS = [
  "build",
  "plan",
  "run",
  "release build",
  "release show",
  "lock",
  "store verify",
  "store gc",
  "doctor",
];

describe("help", { concurrency: 2 }, () => {
  for (const command of COMMANDS) {
    test(`dodeka ${command} --help shows an example of itself`, async () => {
      const { exitCode, stdout } = await dodeka([...command.split(" "), "--help"], { store });
      assert.equal(exitCode, 0);
      assert.match(stdout, new RegExp(`Example:\n  dodeka ${command}( |\n)`));
      assert.match(stdout, /--json/);
    });
  }

  test("dodeka --help lists every command, exit code and variable", async () => {
    const { exitCode, stdout } = await dodeka(["--help"], { store });
    assert.equal(exitCode, 0);
    for (const name of new Set(COMMANDS.map((c) => c.split(" ", 1).join())))
      assert.match(stdout, new RegExp(`^  ${name} `, "m"));
    assert.match(stdout, /^ {3}73 {2}/m);
    assert.match(stdout, /DODEKA_STORE/);
  });
});

interface Mistake {
  readonly name: string;
  readonly args: readonly string[];
  readonly exitCode: number;
  readonly stderr: RegExp;
  readonly empty?: boolean;
}

const MISTAKES: readonly Mistake[] = [
  { name: "no command", args: [], exitCode: 2, stderr: /Usage: dodeka/ },
  { name: "an unknown command", args: ["biuld"], exitCode: 2, stderr: /unknown command 'biuld'[^]*build/ },
  {
    name: "an unknown option",
    args: ["build", "metal", "--ouput", "raw"],
    exitCode: 2,
    stderr: /unknown option '--ouput'[^]*--output/,
  },
  {
    name: "a profile that is nowhere",
    args: ["plan", "mteal"],
    exitCode: 2,
    stderr: /PROFILE: found "mteal"[^]*metal/,
  },
  {
    name: "an output that is none",
    args: ["plan", "metal", "--output", "rwa"],
    exitCode: 2,
    stderr: /--output: found "rwa"[^]*did you mean raw/,
  },
  {
    name: "a format that is none",
    args: ["plan", "metal", "--format", "xml"],
    exitCode: 2,
    stderr: /Allowed choices are pretty, canonical, id/,
  },
  {
    name: "an argument with a line break",
    args: ["plan", "metal", "--kernel-arg", "a\nb"],
    exitCode: 2,
    stderr: /--kernel-arg: found "a\\nb"/,
  },
  {
    name: "an argument that only the factory sets",
    args: ["plan", "metal", "--kernel-arg", "init=/bin/sh"],
    exitCode: 2,
    stderr: /--kernel-arg/,
  },
  {
    name: "an ESP option that is too small",
    args: ["plan", "metal", "--sector-size", "4096", "--esp-size", "64MiB"],
    exitCode: 2,
    stderr: /--esp-size: found "64MiB"[^]*at least 25\dMiB/,
  },
  {
    name: "a release name that is no digest",
    args: ["plan", "metal", "--release", "latest"],
    exitCode: 2,
    stderr: /--release: found "latest"/,
  },
  {
    name: "a release that is not there",
    args: ["plan", "metal", "--release", "0".repeat(64)],
    exitCode: 69,
    stderr: /release build/,
  },
  {
    name: "a store without a release",
    args: ["plan", "metal"],
    empty: true,
    exitCode: 69,
    stderr: /no release in the store[^]*fix: run `dodeka release build`/,
  },
  {
    name: "no image to run",
    args: ["run", "none.iso"],
    exitCode: 2,
    stderr: /IMAGE: found "none\.iso"[^]*dodeka build/,
  },
  {
    name: "a misspelt field",
    args: ["build", `./${profile("typo.yaml", METAL.replace("outputs", "ouptuts"))}`],
    exitCode: 65,
    stderr: /typo\.yaml:5:1: ouptuts[^]*5 \| ouptuts[^]*\^[^]*did you mean outputs\?/,
  },
  {
    name: "two problems of one profile",
    args: ["plan", `./${profile("two.yaml", `${METAL.replace("amd64", "sparc")}disk: {sectorSize: 513}\n`)}`],
    exitCode: 65,
    stderr: /two\.yaml:4:7: arch[^]*two\.yaml:6:20: disk\.sectorSize: found 513[^]*2 problems/,
  },
  {
    name: "an ESP that is too small",
    args: ["build", `./${profile("small.yaml", `${METAL}disk:\n  espSize: 64MiB\n  sectorSize: 4096\n`)}`],
    exitCode: 65,
    stderr:
      /small\.yaml:7:12: disk\.espSize: found "64MiB"\n {2}7 \| {3}espSize: 64MiB\n {4}\| {12}\^\n {2}expected at least 25\dMiB[^]*fix: write 25\dMiB/,
  },
  {
    name: "quotes for GRUB",
    args: ["build", `./${profile("quotes.yaml", `${METAL}kernelArguments:\n  add: ['dyndbg="file a +p"']\n`)}`],
    exitCode: 65,
    stderr: /quotes\.yaml:7:3: kernelArguments[^]*no quotes/,
  },
  {
    name: "a machine configuration outside the profile's folder",
    args: ["plan", `./${profile("config.yaml", `${METAL}machineConfig: {file: nowhere/config}\n`)}`],
    exitCode: 65,
    stderr: /config\.yaml: machineConfig\.file: found "nowhere\/config"/,
  },
];

describe("mistakes", { concurrency: 2 }, () => {
  for (const { name, args, exitCode, stderr, empty = false } of MISTAKES) {
    test(`${name} ends with ${exitCode} and says what to do`, async () => {
      const run = await dodeka(args, { store: empty ? undefined : store, cwd: dir });
      assert.match(run.stderr, stderr);
      assert.deepEqual([run.exitCode, run.stdout], [exitCode, ""]);
    });
  }
});
