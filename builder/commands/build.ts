// SPDX-License-Identifier: Apache-2.0
// dodeka build: profile -> images.
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { planAllImages } from "../artifacts/outputs.ts";
import type { PlannedImages, PlannedOutput } from "../artifacts/planned.ts";
import { FactoryError } from "../errors.ts";
import { dataLength } from "../encode/holes.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import type { Signer } from "../evidence/signer.ts";
import { writeImageFile } from "../host/image-file.ts";
import { checkFreeSpace } from "../host/image-target.ts";
import type { Store } from "../host/store.ts";
import { describeWriteError } from "../host/write-error.ts";
import { planCore } from "../plan/core.ts";
import { planId } from "../plan/plan.ts";
import type { ProfileOverrides } from "../profile/overrides.ts";
import { profileOptions } from "../profile/overrides.ts";
import { locateProblem } from "../profile/parse.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep, contextStore } from "./context.ts";
import type { Attester, Written } from "./attest-build.ts";
import { findBuildFacts } from "./build-facts.ts";
import type { LoadedProfile } from "./load-profile.ts";
import { loadMachineConfig, loadProfile } from "./load-profile.ts";
import { describeKernel } from "./describe-kernel.ts";
import type { LoadedRelease } from "./load-release.ts";
import { blobSource, loadRelease, loadSmallParts } from "./load-release.ts";
import type { SigningOptions } from "./sign-options.ts";

export interface BuildOptions {
  readonly profile: string;
  readonly overrides: ProfileOverrides;
  readonly release: string | undefined;
  readonly outputDir: string;
  /** Undefined: nothing is signed. */
  readonly signing?: SigningOptions | undefined;
}

/** Plans and writes every output. A file has its final name only once it is complete. */
export async function runBuild(context: CommandContext, options: BuildOptions): CommandResult {
  const store = await contextStore(context);
  const signer = await openSignerIfAsked(context, options.signing);
  const images = await asStep(context, "plan", () => makePlan(store, options));
  await mkdir(options.outputDir, { recursive: true }).catch((error: unknown) => {
    throw describeWriteError(error, options.outputDir);
  });
  const needed = images.outputs.reduce((sum, { layout }) => sum + dataLength(layout), 0);
  await checkFreeSpace(options.outputDir, options.outputDir, needed); // rather than after the first of them
  context.reporter.note(`plan ${planId(images.plan)}`);
  context.reporter.note(describeKernel(images.release.release));
  const blobs = blobSource(store);
  const profile = { name: basename(images.profile.file), text: images.profile.text };
  const facts = findBuildFacts({ profile, overrides: options.overrides }, images.release.release, context.version);
  const { plan, release } = images;
  let attester: Promise<Attester> | undefined; // loaded while the first file is hashed, when nothing waits for it
  const openAttester = (): Promise<Attester> =>
    (attester ??= import("./attest-build.ts").then((module) =>
      module.openAttester({ store, blobs, release, plan, facts, signer }),
    ));
  const attest = async (output: PlannedOutput, written: Written): Promise<void> => {
    context.reporter.note(await (await openAttester()).attest(output, written));
  };
  let attested = Promise.resolve(); // evidence of one output is written while the next one is copied and hashed
  try {
    for (const output of images.outputs) {
      const prepare = async (): Promise<void> => (await openAttester()).prepare(output);
      const written = await writeOutput(context, options.outputDir, output, { blobs, prepare });
      await attested;
      attested = attest(output, written);
      attested.catch(() => undefined); // told where it is awaited
    }
    await attested;
  } finally {
    await attested.catch(() => undefined); // nothing is being written any more when the first error goes up
  }
  return undefined;
}

/** Loaded only when something is signed. */
async function openSignerIfAsked(
  context: CommandContext,
  signing: SigningOptions | undefined,
): Promise<Signer | undefined> {
  return signing === undefined ? undefined : (await import("./sign-options.ts")).openSigner(context, signing);
}

export interface PlannedBuild extends PlannedImages {
  readonly release: LoadedRelease;
  readonly profile: LoadedProfile;
}

/** Profile + Release -> Plan and layouts. Problems that a profile field causes are shown at that field. */
export async function makePlan(
  store: Store,
  options: Pick<BuildOptions, "profile" | "overrides" | "release">,
): Promise<PlannedBuild> {
  const loaded = await loadProfile(options.profile, options.overrides);
  const found = await loadRelease(store, options.release);
  const { release } = found;
  const machineConfig = await loadMachineConfig(store, loaded);
  const parts = await loadSmallParts(store, release);
  try {
    const core = planCore(loaded.profile, release, machineConfig);
    return {
      ...(await planAllImages(core, loaded.profile.outputs, { parts, blobs: blobSource(store) })),
      release: found,
      profile: loaded,
    };
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    const flag = overridingFlag(error.details.field ?? "", options.overrides);
    if (flag !== undefined) throw new FactoryError({ ...error.details, code: "USAGE", field: flag });
    throw locateProblem(error, loaded.text, loaded.file);
  }
}

/** The option that gave the field at fault its value: pointing at the profile would then mislead. */
function overridingFlag(field: string, overrides: ProfileOverrides): string | undefined {
  const given = profileOptions().filter(({ key }) => overrides[key] !== undefined);
  return given.find(({ path }) => path === field || path.startsWith(`${field}.`))?.flag;
}

interface WriteOptions {
  readonly blobs: BlobSource;
  /** Called once the file is complete: work to do while it is being hashed. */
  readonly prepare: () => Promise<void>;
}

async function writeOutput(
  context: CommandContext,
  dir: string,
  output: PlannedOutput,
  { blobs, prepare }: WriteOptions,
): Promise<Written> {
  const { plan, layout } = output;
  const path = join(dir, plan.file);
  const step = context.reporter.step(plan.file);
  try {
    const onProgress = (done: number, total: number): void => step.progress(done, total);
    const file = await writeImageFile({ layout, blobs, path, onProgress, signal: context.signal });
    const [digest] = await Promise.all([file.digest, prepare()]);
    step.done();
    context.reporter.artifact({ path, size: file.bytes, digest, kind: plan.kind });
    return { path, digest };
  } catch (error) {
    step.failed();
    throw error;
  }
}
