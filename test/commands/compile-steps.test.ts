// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { actionContext } from "../../builder/commands/compile-steps.ts";
import type { CommandContext } from "../../builder/commands/context.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Action } from "../../builder/release/action.ts";
import { runAction } from "../../builder/release/action.ts";
import { createReporter } from "../../builder/report/reporter.ts";
import { openBox } from "../foreign/judge.ts";
import { temporaryStore } from "../host/temp-store.ts";

test("a step that fails ends the steps beside it, and is the one that is reported", async () => {
  const [store, toolbox] = [await temporaryStore(), await openBox("judges")];
  const shown: string[] = [];
  const reporter = createReporter({ kind: "plain", write: (text) => void shown.push(text), now: () => 0 });
  const { signal } = new AbortController();
  const context: CommandContext = {
    settings: readSettings({}),
    reporter,
    signal,
    print: () => undefined,
    json: false,
    version: "0",
  };
  const at = actionContext(context, store);
  const common = { inputs: {}, toolbox, env: {}, caches: [], outputs: [], kind: "command" } as const;
  const slow: Action = { ...common, name: "slow", argv: ["sleep", "60"] };
  const failing: Action = { ...common, name: "failing", argv: ["bash", "-c", "sleep 0.2; exit 5"] };
  const never: Action = {
    kind: "builtin",
    name: "never",
    inputs: {},
    builder: sha256(""),
    parameters: null,
    perform: async () => ({}),
  };
  const before = performance.now();
  const results = await Promise.allSettled([runAction(at, slow), runAction(at, failing)]);
  assert.ok(performance.now() - before < 10_000);
  const codes = results.map((r) => (r.status === "rejected" ? (r.reason as { code: string }).code : "fulfilled"));
  assert.deepEqual(codes, ["CANCELLED", "ACTION_FAILED"]);
  await assert.rejects(runAction(at, never), { code: "ACTION_FAILED" });
  assert.match(shown.join(""), /failed {2}failing/);
});
