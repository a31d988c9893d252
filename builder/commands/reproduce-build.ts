// SPDX-License-Identifier: Apache-2.0
// Builds one artifact again from what its provenance says: profile, options, machine configuration by digest, and the
// release, which is compiled in an empty store unless only the assembly is to be proved.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { planAllImages } from "../artifacts/outputs.ts";
import { FactoryError } from "../errors.ts";
import type { Provenance } from "../evidence/read-provenance.ts";
import { adoptBlob } from "../host/adopt-blob.ts";
import { writeImageFile } from "../host/image-file.ts";
import type { Store } from "../host/store.ts";
import { blobPath, openStore } from "../host/store.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";
import { planCore } from "../plan/core.ts";
import type { Plan } from "../plan/plan.ts";
import type { Profile } from "../profile/model.ts";
import { applyOverrides } from "../profile/overrides.ts";
import { parseProfile } from "../profile/parse.ts";
import { lendResults } from "../release/lend-results.ts";
import { packagesOf, readLock } from "../release/lock.ts";
import type { KernelFlavour } from "../release/manifest.ts";
import type { CommandContext } from "./context.ts";
import { asStep } from "./context.ts";
import { machineConfigBlob } from "./load-profile.ts";
import type { LoadedRelease } from "./load-release.ts";
import { blobSource, loadRelease, loadSmallParts } from "./load-release.ts";
import { runReleaseBuild } from "./release.ts";

export type RebuildScope = "everything" | "assembly";

export interface RebuildPlace {
  /** The user's store: downloads come from there, and for `assembly` the compiled release. */
  readonly home: Store;
  /** An empty directory for everything else. */
  readonly work: string;
  readonly scope: RebuildScope;
  /** Steps whose results are taken from the user's store instead of being run again. */
  readonly except: readonly string[];
}

export interface Rebuilt {
  readonly path: string;
  readonly digest: Sha256;
  readonly release: LoadedRelease;
  readonly plan: Plan;
}

/** Throws what compiling and assembling throw; EVIDENCE_INVALID when the profile no longer makes such an output. */
export async function rebuild(context: CommandContext, provenance: Provenance, place: RebuildPlace): Promise<Rebuilt> {
  const store = place.scope === "assembly" ? place.home : await compileAgain(context, place, provenance);
  const release = await loadRelease(store, place.scope === "assembly" ? provenance.release : undefined);
  const profile = applyOverrides(parseProfile(provenance.profile.text, provenance.profile.name), provenance.overrides);
  const machineConfig = await findMachineConfig(store, place.home, profile, provenance.machineConfig);
  const parts = await loadSmallParts(store, release.release);
  const core = planCore(profile, release.release, machineConfig);
  const images = await planAllImages(core, profile.outputs, { parts, blobs: blobSource(store) });
  const output = images.outputs.find((o) => o.plan.file === provenance.subject.name);
  if (output === undefined) throw noOutput(provenance.subject.name, images.plan);
  const path = join(place.work, output.plan.file);
  const digest = await asStep(context, `assemble ${output.plan.file}`, async () => {
    const { layout } = output;
    const file = await writeImageFile({ layout, blobs: blobSource(store), path, signal: context.signal });
    return file.digest;
  });
  return { path, digest, release, plan: images.plan };
}

/** An empty store, with the locked packages that the usual one has, each hashed again. */
async function compileAgain(
  context: CommandContext,
  { home, work, except }: RebuildPlace,
  provenance: Provenance,
): Promise<Store> {
  const store = await openStore(join(work, "store"));
  const lock = readLock();
  const flavour = kernelFlavour(provenance.plan);
  const groups = ["compile", "parts", ...(flavour === "source" ? ["kernel", "kernel-source"] : [])];
  const packages = new Set(groups.flatMap((group) => packagesOf(lock, group)).map((p) => p.sha256));
  await asStep(context, "take over downloads by digest", async () => {
    for (const digest of packages) await adoptBlob(store, home, digest);
  });
  const lent = await lendResults(home, store, except);
  for (const step of except) if (!lent.has(step)) throw nothingToLend(step);
  const settings = { ...context.settings, storeDir: store.dir };
  await runReleaseBuild({ ...context, settings }, { kernel: { flavour, modules: false }, ifMissing: false });
  return store;
}

function nothingToLend(step: string): FactoryError {
  return new FactoryError({
    code: "USAGE",
    field: "--except",
    found: step,
    expected: "a compile step of which the store holds a result, such as kubelet",
    fix: "leave the option out, or name a step as `dodeka release build` shows it",
  });
}

/** Our own kernels say so in their release name; any other is the stock one. The plan's members are unchecked. */
function kernelFlavour(plan: unknown): KernelFlavour {
  return /"kernel":\{[^{}]*"release":"[^"]*-dodeka"/.test(canonicalJson(plan)) ? "source" : "stock";
}

/** From the profile's text, or by digest from the user's store: a provenance holds no file. */
function findMachineConfig(
  store: Store,
  home: Store,
  profile: Profile,
  expected: Sha256 | null,
): Promise<BlobRef | null> {
  return machineConfigBlob(store, profile, async (path) => {
    const isThere = expected !== null && (store.dir === home.dir || (await adoptBlob(store, home, expected)));
    const found = isThere ? await stat(blobPath(store, expected)).catch(() => undefined) : undefined;
    if (expected === null || found === undefined) throw noMachineConfig(path, expected);
    return { digest: expected, size: found.size };
  });
}

function noMachineConfig(found: string, expected: Sha256 | null): FactoryError {
  return new FactoryError({
    code: "STORE_MISSING",
    field: "machineConfig",
    found,
    expected: `the file with SHA-256 ${expected ?? "none"} in the store`,
    fix: "run `dodeka plan` with a profile that has this machine configuration: it puts the file into the store",
  });
}

function noOutput(found: string, plan: Plan): FactoryError {
  return new FactoryError({
    code: "EVIDENCE_INVALID",
    field: "subject",
    found,
    expected: `an output of the profile: ${plan.outputs.map((o) => o.file).join(", ")}`,
    fix: "keep the artifact's own name, and the provenance that was made with it",
  });
}
