// SPDX-License-Identifier: Apache-2.0
// dodeka diff: what changed between two artifacts, two releases or two plans. Exit code 0: nothing; 1: something.
import { stat } from "node:fs/promises";
import type { Change } from "../compare/changes.ts";
import { compareArguments, compareInventories, compareTables } from "../compare/changes.ts";
import { renderChanges } from "../compare/change-text.ts";
import { componentTable } from "../compare/components.ts";
import { explainDifference } from "../compare/explain-difference.ts";
import type { Inventory } from "../compare/inventory.ts";
import { takeInventory } from "../compare/inventory.ts";
import { jsonTable, kernelConfigTable } from "../compare/json-table.ts";
import { FactoryError } from "../errors.ts";
import { EVIDENCE_MAX_BYTES, isObject, memberAt, parseJson } from "../evidence/json.ts";
import { readBounded, readIfPresent } from "../host/read-bounded.ts";
import { withReadableFile } from "../host/readable-file.ts";
import type { Store } from "../host/store.ts";
import { blobPath, readWholeBlob } from "../host/store.ts";
import type { BlobRef } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import type { Release } from "../release/manifest.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";
import { loadRelease } from "./load-release.ts";

const CURRENT = "current";
const MAX_PLAN_BYTES = 16 << 20;

interface DiffResult {
  readonly equal: boolean;
  /** Where the first differing byte lies, from the outside in; only for artifacts. */
  readonly firstDifference?: { readonly offset: number; readonly path: readonly string[] };
  readonly changes: readonly Change[];
}

export async function runDiff(context: CommandContext, a: string, b: string): CommandResult {
  const kinds = await Promise.all([kindOf(a), kindOf(b)]);
  if (kinds[0] !== kinds[1]) {
    throw new FactoryError({
      code: "USAGE",
      field: "A B",
      found: `${kinds[0]} and ${kinds[1]}`,
      expected: "two artifacts, two releases or two plans",
      fix: "name two of a kind",
    });
  }
  const result = await compare(context, kinds[0], a, b);
  context.print(renderResult(result), result);
  return result.equal ? undefined : 1;
}

type Kind = "artifact" | "release" | "plan";

async function kindOf(name: string): Promise<Kind> {
  if (isSha256(name) || name === CURRENT) return "release";
  if (!name.endsWith(".json")) return "artifact";
  const { size } = await stat(name).catch(() => ({ size: 0 }));
  return size > 0 ? "plan" : "artifact";
}

async function compare(context: CommandContext, kind: Kind, a: string, b: string): Promise<DiffResult> {
  switch (kind) {
    case "artifact":
      return compareArtifacts(a, b);
    case "release": {
      const store = await contextStore(context);
      const [x, y] = [await openRelease(store, a), await openRelease(store, b)];
      const changes = await compareReleases(store, x, y);
      return { equal: changes.length === 0, changes };
    }
    case "plan": {
      const changes = comparePlans(await readPlan(a), await readPlan(b));
      return { equal: changes.length === 0, changes };
    }
    default:
      return kind satisfies never;
  }
}

async function compareArtifacts(a: string, b: string): Promise<DiffResult> {
  return withReadableFile(a, (left) =>
    withReadableFile(b, async (right) => {
      const difference = await explainDifference(left, right);
      const components = await compareBoms(a, b, difference === undefined ? undefined : "file");
      if (difference === undefined) return { equal: components.length === 0, changes: components };
      const changes = compareInventories(await takeInventory(left), await takeInventory(right));
      const { offset, path } = difference;
      return { equal: false, firstDifference: { offset, path }, changes: [...components, ...changes] };
    }),
  );
}

/** The SBOMs beside two artifacts, when both have one; `without` files when these are compared as they are inside. */
async function compareBoms(a: string, b: string, without: "file" | undefined): Promise<readonly Change[]> {
  const [before, after] = [await readBom(a), await readBom(b)];
  if (before === undefined || after === undefined) return [];
  return compareTables("components", componentTable(before, without), componentTable(after, without));
}

/** The SBOM beside an artifact, when there is one. */
async function readBom(artifact: string): Promise<unknown> {
  const file = `${artifact}.cdx.json`;
  const bytes = await readIfPresent(file, EVIDENCE_MAX_BYTES);
  return bytes === undefined ? undefined : parseJson(bytes, file);
}

async function openRelease(store: Store, name: string): Promise<Release> {
  return (await loadRelease(store, name === CURRENT ? undefined : name)).release;
}

async function compareReleases(store: Store, a: Release, b: Release): Promise<readonly Change[]> {
  const parts = (release: Release): ReadonlyMap<string, string> =>
    new Map(
      Object.entries(release.parts).map(([name, p]) => [
        name,
        `${p.size} bytes sha256:${p.digest} ${p.origin.join(" ")}`,
      ]),
    );
  const config = async ({ parts: { "kernel-config": blob } }: Release): Promise<ReadonlyMap<string, string>> =>
    kernelConfigTable(Buffer.from(await readWholeBlob(store, blob.digest)).toString("utf8"));
  const facts = (release: Release): ReadonlyMap<string, string> => jsonTable({ ...release, parts: {} });
  const changed = (["root", "initramfs"] as const).filter((name) => a.parts[name].digest !== b.parts[name].digest);
  const contents: Change[] = [];
  for (const name of changed) {
    const [x, y] = [await inventoryOf(store, a.parts[name]), await inventoryOf(store, b.parts[name])];
    contents.push(...compareInventories(x, y).map((change) => ({ ...change, name: `${name}: ${change.name}` })));
  }
  return [
    ...compareTables("identifiers", facts(a), facts(b)),
    ...compareTables("parts", parts(a), parts(b)),
    ...compareTables("kernel configuration", await config(a), await config(b)).filter(isEffective),
    ...contents,
  ];
}

/** A kernel does without an option that is not set as without one that is not there. */
function isEffective({ before = "n", after = "n" }: Change): boolean {
  return before !== after;
}

function inventoryOf(store: Store, { digest }: BlobRef): Promise<Inventory> {
  return withReadableFile(blobPath(store, digest), takeInventory);
}

async function readPlan(file: string): Promise<unknown> {
  const plan = parseJson(await readBounded(file, MAX_PLAN_BYTES), file);
  if (isObject(memberAt(plan, "core")) && Array.isArray(memberAt(plan, "outputs"))) return plan;
  throw new FactoryError({
    code: "USAGE",
    file,
    field: "document",
    expected: "a plan: an object with core and outputs",
    fix: "write one with `dodeka plan PROFILE > FILE`",
  });
}

function comparePlans(a: unknown, b: unknown): readonly Change[] {
  const table = (plan: unknown): ReadonlyMap<string, string> =>
    new Map([...jsonTable(plan)].filter(([name]) => name !== "core.commandLine"));
  const words = (plan: unknown): string => {
    const line = memberAt(plan, "core.commandLine");
    return typeof line === "string" ? line : "";
  };
  return [...compareArguments(words(a), words(b)), ...compareTables("plan", table(a), table(b))];
}

function renderResult({ equal, firstDifference, changes }: DiffResult): string {
  if (equal) return "equal\n";
  const where =
    firstDifference === undefined
      ? ""
      : `first difference: byte ${firstDifference.offset}: ${firstDifference.path.join(" > ")}\n`;
  return `${where}${renderChanges(changes)}`;
}
