// SPDX-License-Identifier: Apache-2.0
// Runs the stages of a check one after another, all of them even when one fails, and closes with what failed and why,
// a line for each stage, and one that counts: `<n> passed, <n> failed`. A stage without tests counts as one. Arguments
// name the stages to run; none: all of them.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./structure/tracked-files.ts";
import { testGoUserland } from "./userland/go-test.ts";

interface Count {
  readonly passed: number;
  readonly failed: number;
  /**
   * What failed and why, in a few lines: the whole story is far above when an hour of other stages follows. Only node's
   * tests tell it: Go's and a tool's failures stand where they happened.
   */
  readonly why?: string;
}

export interface Stage {
  readonly name: string;
  readonly run: () => Promise<Count>;
}

const WHY_MAX_LINES = 16;
const WHY_MAX_COLUMNS = 160;

const UNIT_FOLDERS = readdirSync(join(ROOT, "test"), { withFileTypes: true })
  .filter(
    (e) =>
      e.isDirectory() &&
      !["bench", "boot", "foreign", "fuzz", "golden", "kernel", "os", "reproduce", "talosctl", "userland"].includes(
        e.name,
      ),
  )
  .map((e) => `test/${e.name}`);

/** Does what `args` ask for. Returns the exit code: 0 when nothing failed, 2 for arguments that nobody knows. */
export async function runCheck(about: string, stages: readonly Stage[], args: readonly string[]): Promise<number> {
  const asked = parseRequest(stages, args);
  switch (asked.kind) {
    case "help":
      console.log(helpText(about, stages));
      return 0;
    case "unknown":
      console.error(`${asked.found}\n  expected --help, or stages: ${stages.map(argumentOf).join(", ")}`);
      return 2;
    case "run":
      return runStages(asked.stages);
    default:
      return asked satisfies never;
  }
}

type Request =
  | { readonly kind: "help" }
  | { readonly kind: "run"; readonly stages: readonly Stage[] }
  | { readonly kind: "unknown"; readonly found: string };

/** Stages run in their own order, whatever the order of the arguments. */
export function parseRequest(stages: readonly Stage[], args: readonly string[]): Request {
  try {
    const options = { help: { type: "boolean", short: "h" } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help === true) return { kind: "help" };
    const unknown = positionals.find((name) => !stages.some((stage) => argumentOf(stage) === name));
    if (unknown !== undefined) return { kind: "unknown", found: `found ${JSON.stringify(unknown)}, which is no stage` };
    const isAsked = (stage: Stage): boolean => positionals.length === 0 || positionals.includes(argumentOf(stage));
    return { kind: "run", stages: stages.filter(isAsked) };
  } catch (error) {
    return { kind: "unknown", found: (error as Error).message };
  }
}

/** A stage's name as one word: `machine-api`. */
function argumentOf({ name }: Stage): string {
  return name.replaceAll(" ", "-");
}

function helpText(about: string, stages: readonly Stage[]): string {
  return `${about}\n\nArguments: stages, to run only those; --help\n${stages.map((s) => `  ${argumentOf(s)}\n`).join("")}`;
}

async function runStages(stages: readonly Stage[]): Promise<number> {
  let [passed, failed] = [0, 0];
  const summary: string[] = [];
  const reasons: string[] = [];
  for (const stage of stages) {
    console.log(`\n== ${stage.name}`);
    const started = performance.now();
    const count = await stage.run();
    passed += count.passed;
    failed += count.failed;
    if (count.why !== undefined && count.why !== "") reasons.push(`\n${stage.name}:\n${count.why}`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    summary.push(
      `${count.failed === 0 ? "ok  " : "FAIL"} ${stage.name}: ${count.passed} passed, ${count.failed} failed, ${seconds} s`,
    );
  }
  for (const reason of reasons) console.log(reason);
  console.log(`\n${summary.join("\n")}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** What needs neither network nor virtual machine, and takes a minute or two. */
export function quickStages(): readonly Stage[] {
  return [
    tool("format", ["prettier", "--check", "--log-level", "warn", "."]),
    tool("lint", ["oxlint", "--type-aware", "--deny-warnings"]),
    tool("types", ["tsc", "--noEmit"]),
    tool("dead code", ["knip", "--no-progress"]),
    nodeTests(
      "unit tests",
      UNIT_FOLDERS.map((f) => `${f}/**/*.test.ts`),
      2,
    ),
  ];
}

/** A tool of node_modules. */
function tool(name: string, argv: readonly string[]): Stage {
  const [program, ...args] = argv;
  return single(name, join(ROOT, "node_modules", ".bin", program ?? ""), args);
}

/** A command of the product itself. */
export function product(name: string, args: readonly string[]): Stage {
  return single(name, process.execPath, [join(ROOT, "builder", "main.ts"), ...args]);
}

/** A file of this repository as a program. */
export function script(name: string, path: string): Stage {
  return single(name, process.execPath, [join(ROOT, path)]);
}

/** The tests of one folder, or of one file. */
export function tests(name: string, path: string, concurrency: number): Stage {
  return nodeTests(name, [path.endsWith(".ts") ? path : `${path}/**/*.test.ts`], concurrency);
}

/** `go vet`, staticcheck and `go test -race` of the userland, with the toolbox's Go. */
export function goTests(): Stage {
  return { name: "userland", run: testGoUserland };
}

function single(name: string, file: string, args: readonly string[]): Stage {
  const run = async (): Promise<Count> => {
    const { exitCode } = await spawnShown(file, args);
    return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  };
  return { name, run };
}

/** Reads the counts of node's own runner; a run that executed no test has failed. */
function nodeTests(name: string, patterns: readonly string[], concurrency: number): Stage {
  const run = async (): Promise<Count> => {
    const args = ["--test", `--test-concurrency=${concurrency}`, ...patterns];
    const { exitCode, output } = await spawnShown(process.execPath, args);
    const count = (what: string): number => Number(new RegExp(`^(?:ℹ|#) ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
    const failed = count("fail") + count("cancelled") + count("skipped") + count("todo");
    const isUncounted = count("pass") === 0 || (exitCode !== 0 && failed === 0);
    return { passed: count("pass"), failed: failed + (isUncounted ? 1 : 0), why: failuresOf(output) };
  };
  return { name, run };
}

/** What node's runner repeats at its end of the tests that failed, without stacks; empty when none did. */
export function failuresOf(output: string): string {
  const [, failing] = output.split(/^✖ failing tests:$/m);
  if (failing === undefined) return "";
  const lines = failing
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^ {6}(?:at | )|^ {4}\w+: |^ {2}\}$/.test(line));
  const shown = lines.slice(0, WHY_MAX_LINES).map((line) => line.slice(0, WHY_MAX_COLUMNS));
  return [
    ...shown,
    ...(lines.length > shown.length ? [`(${lines.length - shown.length} lines more, above)`] : []),
  ].join("\n");
}

function spawnShown(file: string, args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve, reject) => {
    let output = "";
    const child = spawn(file, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString("utf8");
        process.stdout.write(chunk);
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ exitCode: code ?? 1, output }));
  });
}
