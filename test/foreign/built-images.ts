// SPDX-License-Identifier: Apache-2.0
// Images as the product makes them, from the store's current release, for tests of whole images.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { PlannedImages } from "../../builder/artifacts/planned.ts";
import { makePlan } from "../../builder/commands/build.ts";
import { blobSource } from "../../builder/commands/load-release.ts";
import { writeImageFile } from "../../builder/host/image-file.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import type { PlanCore } from "../../builder/plan/core.ts";
import type { OutputPlan } from "../../builder/plan/plan.ts";
import type { OutputKind } from "../../builder/profile/model.ts";

export type PlanOf<K extends OutputKind> = Extract<OutputPlan, { readonly kind: K }>;

export interface BuiltImages {
  readonly dir: string;
  readonly core: PlanCore;
  readonly path: (kind: OutputKind) => string;
  readonly planOf: <K extends OutputKind>(kind: K) => PlanOf<K>;
  /** Writes one image once more, for a test that damages it. */
  readonly copy: (kind: OutputKind, name: string) => Promise<string>;
}

export interface ImageOptions {
  readonly sectorSize?: "512" | "4096";
  /** Digest of another release than the current one. */
  readonly release?: string;
}

/** Builds outputs of profiles/metal.yaml into a folder that is gone when the tests of the file are over. */
export async function buildImages(kinds: readonly OutputKind[], options: ImageOptions = {}): Promise<BuiltImages> {
  const store = await openStore(readSettings().storeDir);
  const overrides = { outputs: kinds, sectorSize: options.sectorSize ?? "512" };
  const images = await makePlan(store, { profile: "metal", overrides, release: options.release });
  const dir = mkdtempSync(join(tmpdir(), "images-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const write = async (kind: OutputKind, name: string): Promise<string> => {
    const path = join(dir, name);
    const file = await writeImageFile({ layout: find(images, kind).layout, blobs: blobSource(store), path });
    await file.digest;
    return path;
  };
  const planOf = <K extends OutputKind>(kind: K): PlanOf<K> => find(images, kind).plan as PlanOf<K>;
  for (const kind of kinds) await write(kind, planOf(kind).file);
  return { dir, core: images.plan.core, path: (kind) => join(dir, planOf(kind).file), planOf, copy: write };
}

function find(images: PlannedImages, kind: OutputKind): PlannedImages["outputs"][number] {
  const output = images.outputs.find((o) => o.plan.kind === kind);
  assert.ok(output !== undefined, `no ${kind} was built`);
  return output;
}
