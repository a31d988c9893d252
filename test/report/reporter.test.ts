// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import type { ProgressEvent } from "../../builder/report/progress-event.ts";
import { createReporter } from "../../builder/report/reporter.ts";
import type { Reporter, ReporterKind } from "../../builder/report/reporter.ts";
import { matchGolden } from "./golden.ts";

interface Stage {
  readonly reporter: Reporter;
  /** Lets time pass, in milliseconds. */
  readonly wait: (ms: number) => void;
  readonly writes: readonly string[];
}

function setStage(kind: ReporterKind, color = false, columns = 60): Stage {
  let nowMs = 1_000_000;
  const writes: string[] = [];
  const write = (text: string): void => void writes.push(text);
  const reporter = createReporter({ kind, write, now: () => nowMs, columns: () => columns, color });
  return { reporter, wait: (ms) => void (nowMs += ms), writes };
}

/** A build with a cached step, overlapping and nested steps, an artifact, a note and a failure. */
function playBuild({ reporter, wait }: Stage): void {
  const plan = reporter.step("plan metal");
  wait(12);
  plan.done();
  reporter.step("kernel").cached("6.18.2");
  const release = reporter.step("release");
  const rootfs = release.step("root image");
  const raw = reporter.step("raw image");
  wait(100);
  rootfs.progress(5, 20);
  wait(10);
  rootfs.progress(6, 20); // too soon to be drawn or written
  raw.progress(1);
  wait(300);
  reporter.tick();
  const verity = rootfs.step("hash tree");
  wait(5000);
  reporter.tick();
  reporter.note("using 2 \u001b[31mworkers\u001b[0m");
  verity.done();
  rootfs.progress(20, 20);
  rootfs.done("1234 files");
  rootfs.done("twice"); // ignored
  rootfs.progress(1, 2); // ignored
  wait(60_000);
  release.done();
  reporter.artifact({ path: "out/metal.raw", kind: "raw", size: 536870912, digest: "ab".repeat(32) });
  raw.failed();
  reporter.problem(new FactoryError({ code: "DISK_FULL", field: "out", expected: "512 MiB", fix: "free some space" }));
  reporter.step("never ends");
  reporter.close();
}

for (const kind of ["tty", "plain", "json"] as const) {
  test(`the ${kind} view shows a build as agreed`, () => {
    const stage = setStage(kind);
    playBuild(stage);
    const text = kind === "tty" ? stage.writes.map((w) => JSON.stringify(w)).join("\n") : stage.writes.join("");
    matchGolden(new URL(`golden/build-${kind}.txt`, import.meta.url), `${text.trimEnd()}\n`);
  });
}

/** What a terminal shows in the end. Knows "cursor up n lines", "erase below" and colours, and fails on all else. */
function screenOf(writes: readonly string[]): readonly string[] {
  const lines = [""];
  let row = 0;
  const [first = "", ...commands] = writes.join("").split("\u001b[");
  const print = (text: string): void => {
    const [head = "", ...rest] = text.split("\n");
    lines[row] += head;
    for (const line of rest) lines[++row] = line;
  };
  print(first);
  for (const command of commands) {
    const [all, count, letter] = /^([0-9]*)([AJm])/.exec(command) ?? assert.fail(`unknown command ${command}`);
    if (letter === "A") row -= Number(count);
    if (letter === "J") lines.splice(row, lines.length, "");
    assert.ok(row >= 0, "the cursor left the screen");
    print(command.slice(all.length));
  }
  return lines;
}

test("a terminal keeps the finished lines and nothing else", () => {
  const stage = setStage("tty", true);
  playBuild(stage);
  assert.deepEqual(
    screenOf(stage.writes),
    [
      "done    plan metal  0.01 s",
      "cached  kernel  0.00 s  (6.18.2)",
      "note    using 2 workers",
      "done        hash tree  5.0 s",
      "done      root image  5.4 s  (1234 files)",
      "done    release  1 min 05 s",
      `wrote   out/metal.raw  raw  512.0 MiB  sha256:${"ab".repeat(32)}`,
      "failed  raw image  1 min 05 s",
      "out",
      "  expected 512 MiB",
      "  fix: free some space",
      "",
    ].map((line) => line),
  );
});

test("a terminal never gets a line that wraps, nor more live lines than fit", () => {
  const stage = setStage("tty", false, 30);
  const steps = Array.from({ length: 25 }, (_, i) => stage.reporter.step(`step ${i} ${"名".repeat(40)}`));
  const live = screenOf(stage.writes).slice(0, -1);
  assert.equal(live.length, 10);
  assert.equal(live.at(-1), "        and 16 more");
  for (const line of live.slice(0, -1)) assert.match(line, /^[|] {7}step \d+ 名{6,7}…$/);
  for (const step of steps) step.failed();
  assert.equal(screenOf(stage.writes).length, 26);
});

test("nested steps stand below the step that contains them", () => {
  const { reporter, writes } = setStage("tty");
  const a = reporter.step("a");
  reporter.step("b").step("b1");
  a.step("a1").step("a11");
  a.step("a2");
  const names = screenOf(writes)
    .slice(0, -1)
    .map((line) => line.slice(8).replace(/ {2}0\.00 s$/, ""));
  assert.deepEqual(names, ["a", "  a1", "    a11", "  a2", "b", "  b1"]);
});

test("the plain view announces a step after five seconds, once, and writes no escapes", () => {
  const { reporter, wait, writes } = setStage("plain", true);
  const step = reporter.step("compile");
  wait(4999);
  reporter.tick();
  assert.deepEqual(writes, []);
  wait(1);
  reporter.tick();
  reporter.tick();
  assert.deepEqual(writes, ["running compile\n"]);
  step.failed("exit code 2");
  assert.deepEqual(writes.slice(1), ["failed  compile  5.0 s  (exit code 2)\n"]);
});

test("every line of the json view is an event, and each step that began ends once", () => {
  const stage = setStage("json");
  playBuild(stage);
  const events = stage.writes.map((line) => {
    assert.ok(line.endsWith("\n") && line.indexOf("\n") === line.length - 1);
    return JSON.parse(line) as ProgressEvent;
  });
  const began = events.filter(({ event }) => event === "step-started").length;
  const ended = events.filter(({ event }) => event === "step-finished").length;
  assert.deepEqual([began, ended], [7, 6]); // "never ends" does not
  const times = events.map(({ atMs }) => atMs);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

test("progress is thinned out: eight thousand calls make few writes", () => {
  for (const [kind, most] of [
    ["tty", 14],
    ["json", 6],
    ["plain", 1],
  ] as const) {
    const { reporter, wait, writes } = setStage(kind);
    const step = reporter.step("hash");
    for (let i = 0; i < 8000; i++) {
      if (i % 8 === 0) wait(1);
      step.progress(i, 8000);
    }
    step.done();
    assert.ok(writes.length <= most + 2, `${kind} ${writes.length}`);
  }
});
