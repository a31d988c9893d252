// SPDX-License-Identifier: Apache-2.0
// SBOMs as evidence: measures the named pieces of an artifact and describes it. What is a whole blob is known by its name
// already; only what the factory wrote itself is read again, a UKI at most, and that once for all outputs of a build, while the
// file is being written and hashed.
import { createHash } from "node:crypto";
import type { BlobSource } from "../encode/read-layout.ts";
import { readLayout } from "../encode/read-layout.ts";
import type { Layout } from "../layout/extent.ts";
import { blobLayout, sliceLayout } from "../layout/extent.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { FileDigests, Inventory } from "../../sbom/inventory.ts";
import { parseInventory } from "../../sbom/inventory.ts";
import type { ComponentModel } from "../../sbom/model.ts";
import { coverageOf } from "../../sbom/model.ts";
import { MACHINE_CONFIG, describeArtifact } from "../../sbom/describe.ts";
import { artifactPieces } from "../../sbom/pieces.ts";
import type { OutputPlan, Plan } from "../plan/plan.ts";
import type { Store } from "../host/store.ts";
import { readWholeBlob } from "../host/store.ts";
import { toCycloneDx } from "../../sbom/cyclonedx.ts";
import { toSpdx } from "../../sbom/spdx.ts";
import type { Texts } from "../../sbom/texts.ts";
import type { SourceInput } from "../evidence/provenance.ts";
import type { LoadedRelease } from "./load-release.ts";
import { loadTexts } from "./sbom-texts.ts";
import type { EvidenceContext, EvidenceProducer } from "./write-evidence.ts";

/** Both documents come from one model, which is made once for each artifact. */
export const SBOM_PRODUCERS: readonly EvidenceProducer[] = [
  { suffix: ".cdx.json", make: async (context) => toCycloneDx(await describeOnce(context), await textsOf(context)) },
  { suffix: ".spdx.json", make: async (context) => toSpdx(await describeOnce(context), await textsOf(context)) },
];

function textsOf({ describer, facts }: EvidenceContext): Promise<Texts> {
  return describer.texts(facts.sources);
}

/** What the build says of an artifact's SBOM, the share of content that has an owner before all. */
export async function sbomNote(context: EvidenceContext): Promise<string> {
  const model = await describeOnce(context);
  const { percent } = coverageOf(model);
  const waived = model.waived.length === 0 ? "" : `, ${model.waived.length} waived`;
  const count = model.components.length;
  const owners = count === 1 ? "1 component owns" : `${count} components own`;
  return `sbom of ${model.artifact.file}: ${owners} ${percent} % of its content${waived}`;
}

const models = new WeakMap<EvidenceContext, Promise<ComponentModel>>();

function describeOnce(context: EvidenceContext): Promise<ComponentModel> {
  const { describer, plan, output, layout, digest } = context;
  const model = models.get(context) ?? describer.describe(plan, { plan: output, layout }, digest);
  models.set(context, model);
  return model;
}

/** Describes the artifacts of one build. */
export interface Describer {
  /** Does what needs no digest of the file, while the file is being written. Errors come from `describe`. */
  readonly prepare: (plan: Plan, output: DescribedOutput) => Promise<void>;
  /** What SBOMs say of the release whatever the artifact. `sources` are this checkout's. */
  readonly texts: (sources: readonly SourceInput[]) => Promise<Texts>;
  /** The model of one output whose file has `digest`. */
  readonly describe: (plan: Plan, output: DescribedOutput, digest: Sha256) => Promise<ComponentModel>;
}

export interface DescribedOutput {
  readonly plan: OutputPlan;
  readonly layout: Layout;
}

const MAX_INVENTORY_BYTES = 64 * 1024 * 1024;

/** Reads the inventory on first use. Throws RELEASE_INVALID, and what reading blobs throws. */
export function openDescriber(store: Store, { release }: LoadedRelease, blobs: BlobSource): Describer {
  const { digest: inventoryDigest } = release.parts.inventory;
  let inventory: Promise<Inventory> | undefined;
  let texts: Promise<Texts> | undefined;
  const read = (): Promise<Inventory> => (inventory ??= readInventory(store, inventoryDigest));
  const measured = new Map<string, Promise<FileDigests>>();
  const measure = (layout: Layout, known: Inventory): Promise<FileDigests> => {
    const key = layoutKey(layout);
    const found = measured.get(key) ?? digestLayout(layout, blobs, known);
    measured.set(key, found);
    return found;
  };
  const gather = async (plan: Plan, output: DescribedOutput): Promise<Gathered> => {
    const known = await read();
    const pieces = new Map<string, FileDigests>();
    for (const { name, offset, size } of artifactPieces(output.plan))
      pieces.set(name, await measure(sliceLayout(output.layout, offset, offset + size), known));
    const config = plan.core.machineConfig;
    if (config !== null) pieces.set(MACHINE_CONFIG, await measure(blobLayout(config), known));
    return { known, pieces };
  };
  return {
    prepare: async (plan, output) => {
      await gather(plan, output).catch(() => undefined);
    },
    texts: (sources) =>
      (texts ??= read().then((known) => loadTexts({ store, inventory: known, digest: inventoryDigest, sources }))),
    describe: async (plan, output, digest) => {
      const { known, pieces } = await gather(plan, output);
      return describeArtifact(plan, output.plan, known, { digest, pieces });
    },
  };
}

interface Gathered {
  readonly known: Inventory;
  readonly pieces: ReadonlyMap<string, FileDigests>;
}

async function readInventory(store: Store, digest: Sha256): Promise<Inventory> {
  const bytes = await readWholeBlob(store, digest, MAX_INVENTORY_BYTES);
  return parseInventory(Buffer.from(bytes).toString("utf8"), "inventory");
}

/** Equal keys, equal bytes. */
function layoutKey({ extents }: Layout): string {
  return extents
    .map(({ length, source }) => {
      if (source.kind === "bytes") return `${length}=${sha256(source.bytes)}`;
      return source.kind === "zeros" ? `${length}` : `${length}@${source.offset}:${source.digest}`;
    })
    .join(",");
}

async function digestLayout(layout: Layout, blobs: BlobSource, { parts }: Inventory): Promise<FileDigests> {
  const [only] = layout.extents;
  if (only?.source.kind === "blob" && only.source.offset === 0) {
    const { digest } = only.source;
    const part = Object.values(parts).find((p) => p.sha256 === digest && p.size === layout.length);
    if (part !== undefined) return { sha256: part.sha256, sha1: part.sha1, size: part.size };
  }
  const strong = createHash("sha256");
  const weak = createHash("sha1");
  for await (const chunk of readLayout(layout, blobs)) {
    strong.update(chunk);
    weak.update(chunk);
  }
  return { sha256: strong.digest("hex") as Sha256, sha1: weak.digest("hex"), size: layout.length };
}
