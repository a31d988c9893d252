// SPDX-License-Identifier: Apache-2.0
// Compile steps. Those that run a program do so in the judges' toolbox, whose shell is as good as any.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, putBytes, readWholeBlob } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { ActionContext, BuiltinAction, CommandAction } from "../../builder/release/action.ts";
import { actionDigest, runAction } from "../../builder/release/action.ts";
import type { Tree } from "../../builder/release/tree.ts";
import { fileOf } from "../../builder/release/tree.ts";
import { openBox } from "../foreign/judge.ts";
import { temporaryStore } from "../host/temp-store.ts";

interface Bench extends ActionContext {
  /** `name cached|run ok|failed`, in order. */
  readonly log: readonly string[];
}

async function bench(signal?: AbortSignal): Promise<Bench> {
  const log: string[] = [];
  const onAction: ActionContext["onAction"] = (name, cached) => (error) => {
    log.push(`${name} ${cached ? "cached" : "run"} ${error === undefined ? "ok" : "failed"}`);
  };
  return { store: await temporaryStore(), signal, onAction, log };
}

function builtin(store: Store, text: string, over: Partial<BuiltinAction> = {}): BuiltinAction {
  const perform = async (): Promise<Tree> => ({
    out: { kind: "file", blob: await putBytes(store, text), mode: 0o644 },
  });
  return { kind: "builtin", name: "step", inputs: {}, builder: sha256("source"), parameters: null, perform, ...over };
}

const textOf = async (store: Store, tree: Tree, path = "out"): Promise<string> =>
  Buffer.from(await readWholeBlob(store, fileOf(tree, path).digest)).toString();

test("a step that is described alike is not run again", async () => {
  const at = await bench();
  const first = await runAction(at, builtin(at.store, "made"));
  const never = builtin(at.store, "", { perform: () => assert.fail("it ran again") });
  assert.deepEqual(await runAction(at, never), first);
  assert.deepEqual(at.log, ["step run ok", "step cached ok"]);
});

const file = (text: string): Tree => ({
  in: { kind: "file", blob: { digest: sha256(text), size: text.length }, mode: 0o644 },
});
const CHANGES: Readonly<Record<string, Partial<BuiltinAction>>> = {
  input: { inputs: file("x") },
  "input's mode": { inputs: { in: { kind: "symlink", target: "x" } } },
  parameter: { parameters: { level: 2 } },
  "code of the factory": { builder: sha256("another source") },
  name: { name: "another" },
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`a step with another ${what} is another step`, async () => {
    const at = await bench();
    await runAction(at, builtin(at.store, "old"));
    assert.equal(await textOf(at.store, await runAction(at, builtin(at.store, "new", change))), "new");
  });
}

test("a step that fails leaves no result, and runs again", async () => {
  const at = await bench();
  const failing = builtin(at.store, "", { perform: () => Promise.reject(new Error("no luck")) });
  await assert.rejects(runAction(at, failing), /no luck/);
  assert.deepEqual([at.log, readdirSync(join(at.store.dir, "actions"))], [["step run failed"], []]);
  await runAction(at, builtin(at.store, "made"));
});

const DAMAGE: Readonly<Record<string, (store: Store, result: string, blob: string) => void>> = {
  "an output that is damaged": (_store, _result, blob) => {
    chmodSync(blob, 0o644);
    writeFileSync(blob, "MADE");
  },
  "a result that is cut short": (_store, result) => writeFileSync(result, readFileSync(result).subarray(0, 30)),
  "a result of another format": (_store, result) => writeFileSync(result, "null"),
  "a result without outputs": (_store, result) => writeFileSync(result, "{}"),
};

for (const [what, damage] of Object.entries(DAMAGE)) {
  test(`a step with ${what} runs again and repairs it`, async () => {
    const at = await bench();
    const action = builtin(at.store, "made");
    const tree = await runAction(at, action);
    const result = join(at.store.dir, "actions", `${actionDigest(action)}.json`);
    damage(at.store, result, blobPath(at.store, fileOf(tree, "out").digest));
    assert.equal(await textOf(at.store, await runAction(at, action)), "made");
    await runAction(at, action);
    assert.deepEqual(at.log, ["step run ok", "step run ok", "step cached ok"]);
  });
}

const toolbox = await openBox("judges");

function shell(script: string, over: Partial<CommandAction> = {}): CommandAction {
  const base = { kind: "command", name: "shell", inputs: {}, env: {}, outputs: ["out"], caches: [] } as const;
  return { ...base, argv: ["bash", "-c", script], toolbox, ...over };
}

test("a command gets its inputs with their modes, its environment and nothing else, and gives its outputs back", async () => {
  const at = await bench();
  const text = await putBytes(at.store, "#!/bin/sh\n");
  const inputs: Tree = {
    "a/tool": { kind: "file", blob: text, mode: 0o755 },
    "a/data": { kind: "file", blob: text, mode: 0o644 },
    "a/link": { kind: "symlink", target: "data" },
    empty: { kind: "directory", mode: 0o700 },
  };
  const script = "stat -c '%n %a' a a/tool a/data empty > out; readlink a/link >> out; env | sort >> out";
  const umask = process.umask(0o077);
  try {
    const tree = await runAction(at, shell(script, { inputs, env: { LEVEL: "2" } }));
    const want = ["a 755", "a/tool 755", "a/data 644", "empty 700", "data"];
    const environment = [
      "HOME=/root",
      "LC_ALL=C",
      "LEVEL=2",
      "PATH=/usr/bin:/usr/sbin",
      "PWD=/build",
      "SHLVL=1",
      "_=/usr/bin/env",
    ];
    assert.deepEqual((await textOf(at.store, tree)).trim().split("\n"), [...want, ...environment]);
  } finally {
    process.umask(umask);
  }
  assert.deepEqual(readdirSync(join(at.store.dir, "tmp")), []);
});

test("an output keeps whether it can be executed", async () => {
  const at = await bench();
  const tree = await runAction(at, shell("echo x > out; chmod 711 out; echo y > plain", { outputs: ["out", "plain"] }));
  const modes = Object.values(tree).map((node) => (node.kind === "file" ? node.mode : 0));
  assert.deepEqual(modes, [0o755, 0o644]);
});

test("a command that fails shows how to run it, its exit code and its last lines", async () => {
  const at = await bench();
  const script = "for i in $(seq 100); do echo line $i; done; echo 'it broke' >&2; exit 3";
  await assert.rejects(runAction(at, shell(script)), (error) => {
    assert.ok(error instanceof FactoryError);
    assert.equal(error.code, "ACTION_FAILED");
    assert.match(String(error.details.found), /^exit code 3 from: bash -c '/);
    const lines = error.details.output?.split("\n") ?? [];
    assert.deepEqual(
      [lines.length <= 25, lines.at(-1), lines.includes("line 100"), lines.includes("line 1")],
      [true, "it broke", true, false],
    );
    return true;
  });
  assert.deepEqual([readdirSync(join(at.store.dir, "actions")), readdirSync(join(at.store.dir, "tmp"))], [[], []]);
});

const BAD_OUTPUTS: Readonly<Record<string, string>> = {
  "that was not made": "true",
  "that is a directory": "mkdir out",
  "that is a link to a file of the host": "ln -s /etc/passwd out",
  "that is a link to another output": "echo x > real; ln -s real out",
};

for (const [what, script] of Object.entries(BAD_OUTPUTS)) {
  test(`a command with an output ${what} fails and names it`, async () => {
    const at = await bench();
    await assert.rejects(runAction(at, shell(script)), { code: "ACTION_FAILED", message: /output out/ });
  });
}

test("a command cannot lead its output's folder out of its own", async () => {
  const at = await bench();
  const action = shell("ln -s /etc sub", { outputs: ["sub/passwd"] });
  await assert.rejects(runAction(at, action), { code: "ACTION_FAILED", message: /output sub\/passwd/ });
});

test("an interrupted command ends at once and leaves nothing", async () => {
  const stop = new AbortController();
  const at = await bench(stop.signal);
  const running = runAction(at, shell("echo x > out; sleep 60"));
  setTimeout(() => stop.abort(), 300);
  const before = performance.now();
  await assert.rejects(running, { code: "CANCELLED" });
  assert.ok(performance.now() - before < 4000);
  assert.deepEqual([readdirSync(join(at.store.dir, "actions")), readdirSync(join(at.store.dir, "tmp"))], [[], []]);
  assert.equal(existsSync(join(at.store.dir, "actions")), true);
});
