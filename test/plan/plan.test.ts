// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { canonicalJson } from "../../builder/plan/canonical-json.ts";
import type { OutputPlan, Plan } from "../../builder/plan/plan.ts";
import { planId } from "../../builder/plan/plan.ts";
import { locateProblem } from "../../builder/profile/parse.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";
import { EVERY_FIELD, METAL, planOf } from "./sample-plans.ts";

const SECTORS_4096 = `${METAL}disk: {sectorSize: 4096}\n`;
const GOLDENS: Readonly<Record<string, string>> = {
  "plan-metal": METAL,
  "plan-metal-4096": SECTORS_4096,
  "plan-every-field": EVERY_FIELD,
};

/** Compares with test/golden/<name>; UPDATE_GOLDENS=1 writes it instead. */
function assertGolden(name: string, text: string): void {
  const file = new URL(`../golden/${name}`, import.meta.url);
  if (process.env["UPDATE_GOLDENS"] === "1") {
    mkdirSync(new URL(".", file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, "utf8"));
}

for (const [name, profile] of Object.entries(GOLDENS)) {
  test(`${name} is the golden plan, and its id is that of its canonical JSON`, () => {
    const { plan } = planOf(profile);
    const id = planId(plan);
    assert.equal(id, sha256(canonicalJson(plan)));
    assertGolden(
      `${name}.json`,
      `${JSON.stringify({ id, plan: JSON.parse(canonicalJson(plan)) as unknown }, null, 2)}\n`,
    );
  });
}

/** Every identifier that an image carries, in the order of the plan. */
function identifiers(plan: Plan): readonly string[] {
  const perOutput = (output: OutputPlan): readonly string[] =>
    output.kind === "raw" || output.kind === "iso"
      ? [output.diskGuid, ...output.partitions.map((p) => p.guid), `fat ${output.esp.volumeId}`]
      : [];
  return plan.outputs.flatMap(perOutput);
}

test("identifiers are those of RFC 9562 and all different within one plan", () => {
  const ids = identifiers(planOf(METAL).plan);
  assert.equal(ids.length, 8);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids.filter((i) => !i.startsWith("fat")))
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

const grub = fakeRelease().small["grub-cd"];
const DIFFERENT: Readonly<Record<string, () => Plan>> = {
  "another kernel argument": () => planOf(`${METAL}kernelArguments: {add: [quiet]}\n`).plan,
  "another console": () => planOf(`${METAL}console: [ttyS0]\n`).plan,
  "another ESP": () => planOf(`${METAL}disk: {espSize: 600MiB}\n`).plan,
  "other sectors": () => planOf(SECTORS_4096).plan,
  "a machine configuration": () => planOf(`${METAL}machineConfig: {inline: x}\n`).plan,
  "another kernel": () => planOf(METAL, fakeRelease({ kernel: Buffer.from("another kernel") })).plan,
  "another GRUB": () => planOf(METAL, fakeRelease({ "grub-cd": grub.toReversed() })).plan,
};

for (const [what, plan] of Object.entries(DIFFERENT)) {
  test(`${what} changes the plan's id and every identifier`, () => {
    const [here, there] = [planOf(METAL).plan, plan()];
    assert.notEqual(planId(there), planId(here));
    assert.deepEqual(
      identifiers(there).filter((id) => identifiers(here).includes(id)),
      [],
    );
  });
}

const SAME: Readonly<Record<string, string>> = {
  "its name": METAL.replace("name: metal", "name: other"),
  "comments and layout of the file": `# a comment\n${METAL.replace("[raw, iso, uki]", "\n  - uki\n  - raw\n  - iso")}`,
  "defaults that are written out": `${METAL}console: [tty0, ttyS0]\ndisk: {espSize: 512MiB, sectorSize: 512}\n`,
};

for (const [what, profile] of Object.entries(SAME)) {
  test(`a profile's plan does not depend on ${what}`, () => {
    assert.equal(planId(planOf(profile).plan), planId(planOf(METAL).plan));
  });
}

test("an output is the same whatever other outputs are asked for", () => {
  const all = planOf(METAL).plan.outputs;
  for (const kind of ["raw", "iso", "uki"]) {
    const alone = planOf(METAL.replace("[raw, iso, uki]", `[${kind}]`)).plan.outputs;
    assert.deepEqual(
      alone,
      all.filter((output) => output.kind === kind),
    );
  }
});

test("what a manifest says of licences and origins is not in the plan", () => {
  const fake = fakeRelease();
  const kernel = { ...fake.release.parts.kernel, licence: "MIT", origin: ["deb:another"] };
  const release = { ...fake.release, parts: { ...fake.release.parts, kernel } };
  assert.equal(planId(planOf(METAL, { ...fake, release }).plan), planId(planOf(METAL).plan));
});

test("the file names are image-factory's", () => {
  const files = planOf(EVERY_FIELD).plan.outputs.map((output) => output.file);
  const metal = ["metal-amd64.raw", "metal-amd64.iso", "metal-amd64-uki.efi"];
  assert.deepEqual(files, [...metal, "kernel-amd64", "initramfs-amd64.xz", "cmdline-metal-amd64", "root-amd64.img"]);
});

interface Impossible {
  readonly name: string;
  readonly profile: string;
  readonly field: string;
  readonly at: readonly [line: number, column: number];
  readonly expected: RegExp;
}

const IMPOSSIBLE: readonly Impossible[] = [
  {
    name: "an ESP below FAT32's least number of clusters with 4096-byte sectors",
    profile: `${METAL}disk:\n  sectorSize: 4096\n  espSize: 128MiB\n`,
    field: "disk.espSize",
    at: [8, 12],
    expected: /at least 25\dMiB with sectors of 4096 bytes/,
  },
  {
    name: "a command line over the kernel's limit",
    profile: `${METAL}kernelArguments:\n  add: [${Array.from({ length: 20 }, (_, i) => `a${i}=${"x".repeat(100)}`).join(", ")}]\n`,
    field: "kernelArguments",
    at: [7, 3],
    expected: /at most 2047 characters/,
  },
  {
    name: "quotes in an image that BIOS boots",
    profile: `${METAL}kernelArguments: {add: ['dyndbg="file a +p"']}\n`,
    field: "kernelArguments",
    at: [6, 18],
    expected: /no quotes and no backslashes/,
  },
];

for (const { name, profile, field, at, expected } of IMPOSSIBLE) {
  test(`a plan with ${name} is refused at the profile's field`, () => {
    try {
      planOf(profile);
      assert.fail("it was planned");
    } catch (error) {
      assert.ok(error instanceof FactoryError, String(error));
      const { details } = locateProblem(error, profile, "profile.yaml");
      assert.deepEqual([details.code, details.field, details.line, details.column], ["PLAN_IMPOSSIBLE", field, ...at]);
      assert.match(details.expected, expected);
      assert.ok(details.excerpt !== undefined && details.fix !== "");
    }
  });
}

test("quotes are fine where no GRUB reads them", () => {
  const text = `${METAL.replace("[raw, iso, uki]", "[uki, cmdline]")}kernelArguments: {add: ['dyndbg="file a +p"']}\n`;
  assert.match(planOf(text).plan.core.commandLine, /dyndbg="file a \+p"$/);
});

test("an ESP too small for the files says how large it must be, and that size is enough", () => {
  const release = fakeRelease({ root: new Uint8Array(90 << 20) });
  const esp = (size: string): string => `${METAL}disk: {espSize: ${size}}\n`;
  let least = "";
  try {
    planOf(esp("64MiB"), release);
  } catch (error) {
    least = /at least (\d+MiB)/.exec(String(error))?.[1] ?? "";
  }
  assert.match(least, /^9\dMiB$|^1\d\dMiB$/);
  planOf(esp(least), release);
});
