// SPDX-License-Identifier: Apache-2.0
// Compile steps as content-addressed actions: {command, input tree, environment, platform} -> output tree. The shape is
// that of the Bazel Remote Execution API (command, input root, output paths, platform properties), so that the same
// steps can run on any such cluster. A step whose description did not change is not run again.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";
import { runInSandbox } from "../host/sandbox.ts";
import type { Store } from "../host/store.ts";
import { hasBlob, touch, readTextIfPresent, temporaryPath, writeAtomically } from "../host/store.ts";
import { removeTree } from "../host/remove-tree.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree } from "./tree.ts";
import { collectOutputs, stageTree } from "./tree.ts";

interface ActionBase {
  /** What the user sees: "userland", "root image". */
  readonly name: string;
  readonly inputs: Tree;
}

/** Runs a program in a toolbox. Inputs lie in /build, the working directory; outputs are paths below it. */
export interface CommandAction extends ActionBase {
  readonly kind: "command";
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly toolbox: Toolbox;
  readonly outputs: readonly string[];
  /** Caches that only make it faster: host directories that cannot enter the result. Not part of the digest. */
  readonly caches: readonly { readonly host: string; readonly inside: string; readonly writable: boolean }[];
  /** Variables that decide only how fast it goes, such as the number of jobs. Not part of the digest. */
  readonly speed?: Readonly<Record<string, string>>;
  /** Counts finished units in a piece of output, for progress. */
  readonly countDone?: (output: string) => number;
}

/** Runs a function of this program. `builder` is the digest of its source, so that a changed function runs again. */
export interface BuiltinAction extends ActionBase {
  readonly kind: "builtin";
  readonly builder: Sha256;
  /** Whatever else decides the result. */
  readonly parameters: unknown;
  readonly perform: () => Promise<Tree>;
}

export type Action = CommandAction | BuiltinAction;

export interface ActionContext {
  readonly store: Store;
  readonly signal: AbortSignal | undefined;
  /** Called once an action is about to run or was found; returns what to call at its end. */
  readonly onAction: (name: string, cached: boolean) => (error?: unknown) => void;
  /** Called with the number of units that a running action has finished. */
  readonly onProgress?: (name: string, done: number) => void;
}

/** The action's outputs, from the store or by running it. Throws ACTION_FAILED with the command and its last output. */
export async function runAction(context: ActionContext, action: Action): Promise<Tree> {
  const digest = actionDigest(action);
  const known = await readResult(context.store, digest);
  const end = context.onAction(action.name, known !== undefined);
  try {
    const outputs = known ?? (await perform(context, action));
    if (known === undefined)
      await writeAtomically(
        context.store,
        resultPath(context.store, digest),
        JSON.stringify({ action: action.name, outputs }),
      );
    end();
    return outputs;
  } catch (error) {
    end(error);
    throw error;
  }
}

/** SHA-256 of everything that decides the result. */
export function actionDigest(action: Action): Sha256 {
  const { inputs, name } = action;
  switch (action.kind) {
    case "command":
      return sha256(
        canonicalJson({
          name,
          inputs,
          argv: action.argv,
          env: action.env,
          toolbox: action.toolbox.digest,
          outputs: action.outputs,
        }),
      );
    case "builtin":
      return sha256(canonicalJson({ name, inputs, builder: action.builder, parameters: action.parameters }));
    default:
      return action satisfies never;
  }
}

function resultPath(store: Store, digest: Sha256): string {
  return join(store.dir, "actions", `${digest}.json`);
}

/** A result whose outputs are all present and unharmed; undefined otherwise, so that the step simply runs again. */
async function readResult(store: Store, digest: Sha256): Promise<Tree | undefined> {
  const text = await readTextIfPresent(resultPath(store, digest));
  if (text === undefined) return undefined;
  const outputs = parseResult(text);
  if (outputs === undefined) return undefined;
  for (const node of Object.values(outputs)) {
    if (node.kind === "file" && !(await hasBlob(store, node.blob.digest))) return undefined;
  }
  await touch(resultPath(store, digest)); // garbage collection keeps what was used of late
  return outputs;
}

/** The step that a result is of and the blobs that it names; undefined for a file that is no result. */
export function readResultText(
  text: string,
): { readonly action: string; readonly digests: readonly Sha256[] } | undefined {
  const outputs = parseResult(text);
  if (outputs === undefined) return undefined;
  const { action } = JSON.parse(text) as { action?: unknown };
  const digests = Object.values(outputs).flatMap((node) => (node.kind === "file" ? [node.blob.digest] : []));
  return typeof action === "string" ? { action, digests } : undefined;
}

/** Undefined for a file that was cut short or is of another format: the step makes it anew. */
function parseResult(text: string): Tree | undefined {
  try {
    const { outputs } = JSON.parse(text) as { outputs: unknown };
    return typeof outputs === "object" && outputs !== null ? (outputs as Tree) : undefined;
  } catch {
    return undefined;
  }
}

async function perform(context: ActionContext, action: Action): Promise<Tree> {
  context.signal?.throwIfAborted();
  return action.kind === "builtin" ? action.perform() : performCommand(context, action);
}

async function performCommand(context: ActionContext, action: CommandAction): Promise<Tree> {
  const dir = await temporaryPath(context.store);
  await mkdir(dir);
  try {
    await stageTree(context.store, action.inputs, dir);
    const binds = [{ host: dir, inside: "/build", writable: true }, ...action.caches];
    const command = { argv: action.argv, env: { ...action.env, ...action.speed }, binds, cwd: "/build" };
    let done = 0;
    const onOutput = (text: string): void => {
      done += action.countDone?.(text) ?? 0;
      if (action.countDone !== undefined) context.onProgress?.(action.name, done);
    };
    const result = await runInSandbox(action.toolbox.root, command, { signal: context.signal, onOutput });
    if (result.exitCode !== 0) throw failed(action, result.exitCode, `${result.stdout}\n${result.stderr}`);
    return await collectOutputs(context.store, dir, action.outputs, action.name);
  } finally {
    await removeTree(dir);
  }
}

const SHOWN_LINES = 25;
const TELLING_LINES = 10;
const TELLING = /\berror\b|\*\*\* |not found$|No such file or directory$/i;

function failed(action: CommandAction, exitCode: number, output: string): FactoryError {
  return new FactoryError({
    code: "ACTION_FAILED",
    field: action.name,
    found: `exit code ${exitCode} from: ${action.argv.map(shellWord).join(" ")}`,
    expected: "the step to succeed",
    fix: "read the output above; the step runs again on the next try",
    output: shownOutput(output),
  });
}

/** The last lines, and before them those that tell of an error: parallel jobs go on printing after one has failed. */
function shownOutput(output: string): string {
  const lines = output.trim().split("\n");
  const telling = lines.slice(0, -SHOWN_LINES).filter((line) => TELLING.test(line));
  return [...telling.slice(-TELLING_LINES), ...lines.slice(-SHOWN_LINES)].join("\n");
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
