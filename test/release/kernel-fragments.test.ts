// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryErrors } from "../../builder/errors.ts";
import { readFragmentFiles } from "../../builder/release/kernel-build.ts";
import { checkHonoured, parseSymbols, readFragments, renderAllConfig } from "../../builder/release/kernel-fragments.ts";

const problemsOf = (run: () => unknown): readonly { file: unknown; line: unknown; field: unknown }[] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof FactoryErrors);
    for (const problem of error.problems) assert.equal(problem.code, "RELEASE_INVALID");
    return error.problems.map(({ details: { file, line, field } }) => ({ file, line, field }));
  }
  return assert.fail("nothing was refused");
};

const at = (name: string): string => `kernel-config/fragments/${name}`;

const refused = [
  {
    name: "a value set twice, in two fragments",
    fragments: { "a.config": "# why\nCONFIG_X=y\n", "b.config": "# why\nCONFIG_X=n\n" },
    want: [{ file: at("b.config"), line: 2, field: "CONFIG_X" }],
  },
  {
    name: "a value set twice to the same",
    fragments: { "a.config": "# why\nCONFIG_X=y\nCONFIG_X=y\n" },
    want: [{ file: at("a.config"), line: 3, field: "CONFIG_X" }],
  },
  {
    name: "a group without a reason",
    fragments: { "a.config": "# why\nCONFIG_X=y\n\nCONFIG_Y=y\n" },
    want: [{ file: at("a.config"), line: 4, field: "CONFIG_Y" }],
  },
  {
    name: "a licence that stands for a reason",
    fragments: { "a.config": "# SPDX-License-Identifier: GPL-2.0-only\nCONFIG_X=y\n" },
    want: [{ file: at("a.config"), line: 2, field: "CONFIG_X" }],
  },
  ...["# CONFIG_X is not set", "CONFIG_X", "CONFIG_X=yes", 'CONFIG_X="a', "X=y", " CONFIG_X=y"].map((line) => ({
    name: `the line ${JSON.stringify(line)}`,
    fragments: { "a.config": `# why\n${line}\n` },
    want: [{ file: at("a.config"), line: 2, field: "fragment" }],
  })),
];

for (const { name, fragments, want } of refused) {
  test(`fragments refuse ${name}`, () => {
    assert.deepEqual(
      problemsOf(() => readFragments(new Map(Object.entries(fragments)))),
      want,
    );
  });
}

test("fragments are read in order of their names, with their places", () => {
  const settings = readFragments(
    new Map([
      ["b.config", '# why\nCONFIG_TEXT="a b"\nCONFIG_HEX=0x1F\n'],
      ["a.config", "# SPDX-License-Identifier: X\n\n# why\nCONFIG_ON=y\nCONFIG_PART=m\nCONFIG_NONE=n\nCONFIG_N=-1\n"],
    ]),
  );
  assert.equal(
    renderAllConfig(settings),
    'CONFIG_ON=y\nCONFIG_PART=m\nCONFIG_NONE=n\nCONFIG_N=-1\nCONFIG_TEXT="a b"\nCONFIG_HEX=0x1F\n',
  );
  assert.deepEqual(settings[4], { symbol: "TEXT", value: '"a b"', fragment: "b.config", line: 2 });
});

const known = parseSymbols("ON\t./Kconfig:1\t\nPART\t./Kconfig:5\t(NET) && (PCI)\nNONE\t./Kconfig:9\t\n");
const settings = readFragments(new Map([["a.config", "# why\nCONFIG_ON=y\nCONFIG_PART=m\nCONFIG_NONE=n\n"]]));

test("a configuration that has every value is accepted", () => {
  checkHonoured(settings, "CONFIG_ON=y\nCONFIG_PART=m\n# CONFIG_NONE is not set\n", known);
});

test("a value that a dependency switched off is refused with that dependency", () => {
  assert.throws(
    () => checkHonoured(settings, "CONFIG_ON=y\n", known),
    (error) =>
      error instanceof FactoryErrors &&
      /\(NET\) && \(PCI\) \(\.\/Kconfig:5\)/.test(error.problems[0]?.details.fix ?? ""),
  );
});

test("a value that became another, and one that was switched on, are refused at their lines", () => {
  const problems = problemsOf(() => checkHonoured(settings, "CONFIG_ON=y\nCONFIG_PART=y\nCONFIG_NONE=y\n", known));
  assert.deepEqual(
    problems.map((p) => p.line),
    [3, 4],
  );
});

test("an option that this kernel does not have is refused, even when it is off", () => {
  const unknown = readFragments(new Map([["a.config", "# why\nCONFIG_NOSUCH=n\n"]]));
  assert.deepEqual(
    problemsOf(() => checkHonoured(unknown, "", known)),
    [{ file: at("a.config"), line: 2, field: "CONFIG_NOSUCH" }],
  );
});

test("the fragments of this checkout contradict each other nowhere", async () => {
  for (const arch of ["x86", "arm64"] as const) assert.ok(readFragments(await readFragmentFiles(arch)).length > 300);
});
