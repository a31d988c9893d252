// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { Stage } from "../stages.ts";
import { failuresOf, parseRequest } from "../stages.ts";
import { ROOT } from "./tracked-files.ts";

const STAGES: readonly Stage[] = ["format", "machine API", "boots"].map((name) => ({
  name,
  run: async () => ({ passed: 1, failed: 0 }),
}));

/** Names of the stages that would run, or the kind of another answer. */
function asked(...args: readonly string[]): readonly string[] | string {
  const request = parseRequest(STAGES, args);
  return request.kind === "run" ? request.stages.map(({ name }) => name) : request.kind;
}

const REQUESTS: readonly (readonly [args: readonly string[], want: readonly string[] | string])[] = [
  [[], ["format", "machine API", "boots"]],
  [["boots"], ["boots"]],
  [
    ["machine-API", "format", "format"],
    ["format", "machine API"],
  ],
  [["--help"], "help"],
  [["-h"], "help"],
  [["boots", "--help"], "help"],
  [["boot"], "unknown"],
  [["boots", "--quick"], "unknown"],
  [["--help=yes"], "unknown"],
];

for (const [args, want] of REQUESTS) {
  test(`stages asked for by [${args.join(" ")}]: ${String(want)}`, () => {
    assert.deepEqual(asked(...args), want);
  });
}

for (const script of ["test/run.ts", "test/check.ts"]) {
  test(`${script} lists its stages and refuses what it does not know, without running anything`, () => {
    const run = (argument: string): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [join(ROOT, script), argument], { encoding: "utf8", timeout: 120_000 });
    const help = run("--help");
    assert.equal(help.status, 0);
    assert.match(String(help.stdout), /^ {2}unit-tests$/m);
    const refused = run("no-such-stage");
    assert.equal(refused.status, 2);
    assert.equal(refused.stdout, "");
    assert.match(String(refused.stderr), /"no-such-stage".*\n.*unit-tests/);
  });
}

test("failures are told again without stacks and without end", () => {
  const output = (failures: string): string => `✔ one (1ms)\n✖ two (2ms)\nℹ fail 1\n\n✖ failing tests:\n\n${failures}`;
  const failure = [
    "test at test/two.test.ts:3:1",
    "✖ two (2ms)",
    "  AssertionError [ERR_ASSERTION]: it differs",
    "  ",
    "  1 !== 2",
    "  ",
    "      at TestContext.<anonymous> (file:///two.test.ts:3:26)",
    "      at Test.run (node:internal/test_runner/test:1402:25) {",
    "    generatedMessage: false,",
    "    actual: 1,",
    "  }",
    "",
  ];
  const told = [
    "test at test/two.test.ts:3:1",
    "✖ two (2ms)",
    "  AssertionError [ERR_ASSERTION]: it differs",
    "  1 !== 2",
  ];
  assert.equal(failuresOf(output(failure.join("\n"))), told.join("\n"));
  assert.equal(failuresOf("✔ one (1ms)\nℹ fail 0\n"), "");
  const many = failuresOf(output("  line\n".repeat(100)));
  assert.match(many, /^(?: {2}line\n){16}\(84 lines more, above\)$/);
  assert.equal(failuresOf(output("x".repeat(10_000))).length, 160);
});
