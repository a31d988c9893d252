// SPDX-License-Identifier: Apache-2.0
// dodeka release: compile the parts of one OS version, and show them.
import { findGoNetwork } from "../host/go-network.ts";
import type { Store } from "../host/store.ts";
import { builderDigest } from "../release/builder-digest.ts";
import { compileRelease } from "../release/compile.ts";
import { readLock } from "../release/lock.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";
import { actionContext, fetchGroups, prepareToolbox } from "./compile-steps.ts";
import type { KernelBuildOptions } from "./kernel-choice.ts";
import { prepareKernel } from "./kernel-choice.ts";
import { describeKernel } from "./describe-kernel.ts";
import type { LoadedRelease } from "./load-release.ts";
import { findRelease, findReleaseWith, loadRelease, saveRelease } from "./load-release.ts";

export interface ReleaseBuildOptions {
  readonly kernel: KernelBuildOptions;
  /** Takes a release that the store holds already. */
  readonly ifMissing: boolean;
}

export async function runReleaseBuild(context: CommandContext, options: ReleaseBuildOptions): CommandResult {
  const store = await contextStore(context);
  const known = options.ifMissing ? await findSuitable(store, options.kernel.flavour) : undefined;
  if (known !== undefined) {
    await saveRelease(store, known.release);
    context.reporter.note(`release ${known.release.version} ${known.digest} is in the store`);
    context.reporter.note(describeKernel(known.release));
    return undefined;
  }
  const lock = readLock();
  await fetchGroups(context, store, lock, ["compile", "parts"]);
  const toolbox = await prepareToolbox(context, store, lock, "compile");
  const kernel = await prepareKernel(context, store, lock, options.kernel);
  const network = await findGoNetwork(context.settings);
  const builder = await builderDigest();
  const inputs = { version: context.version, lock, kernel, toolbox, network, builder };
  const release = await compileRelease(actionContext(context, store), inputs);
  const digest = await saveRelease(store, release);
  context.reporter.note(`release ${release.version} ${digest}`);
  context.reporter.note(describeKernel(release));
  return undefined;
}

/** The stock kernel only saves the wait for a compile, so a release with the own kernel will do in its place. */
async function findSuitable(store: Store, flavour: KernelBuildOptions["flavour"]): Promise<LoadedRelease | undefined> {
  return flavour === "stock" ? findRelease(store) : findReleaseWith(store, flavour);
}

export async function runReleaseShow(context: CommandContext, wanted: string | undefined): CommandResult {
  const { release, digest } = await loadRelease(await contextStore(context), wanted);
  const shown = { digest, ...release };
  context.print(`${JSON.stringify(shown, null, 2)}\n`, shown);
  return undefined;
}
