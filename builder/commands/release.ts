// SPDX-License-Identifier: Apache-2.0
// dodeka release: compile the parts of one OS version, and show them.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { findMirrors } from "../release/apt-config.ts";
import { existingFiles } from "../host/existing-files.ts";
import type { Store } from "../host/store.ts";
import type { ActionContext } from "../release/action.ts";
import { builderDigest } from "../release/builder-digest.ts";
import { compileRelease } from "../release/compile.ts";
import { parseModuleLists } from "../release/debian-kernel.ts";
import { fetchPackages } from "../release/fetch-packages.ts";
import type { Lock } from "../release/lock.ts";
import { packagesOf, readLock } from "../release/lock.ts";
import type { Toolbox } from "../release/toolbox.ts";
import { openToolbox, toolboxReady } from "../release/toolbox.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";
import { findRelease, loadRelease, saveRelease } from "./load-release.ts";

const MODULE_LISTS = fileURLToPath(new URL("../../kernel-config/stock-modules.yaml", import.meta.url));

/** What name resolution and TLS need inside a toolbox when it may use the network. */
const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

export interface ReleaseBuildOptions {
  /** Leaves a release alone that the store holds already. */
  readonly ifMissing: boolean;
}

export async function runReleaseBuild(context: CommandContext, options: ReleaseBuildOptions): CommandResult {
  const store = await contextStore(context);
  if (options.ifMissing) {
    const known = await findRelease(store);
    if (known !== undefined) {
      context.reporter.note(`release ${known.release.version} ${known.digest} is in the store`);
      return undefined;
    }
  }
  const lock = readLock();
  await fetchGroups(context, store, lock, ["compile", "parts"]);
  const toolbox = await prepareToolbox(context, store, lock, "compile");
  const moduleLists = parseModuleLists(await readFile(MODULE_LISTS, "utf8"));
  const network = {
    env: { ...context.settings.goNetwork, SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" },
    files: await existingFiles(NETWORK_FILES),
  };
  const builder = await builderDigest();
  const inputs = { version: context.version, lock, moduleLists, toolbox, network, builder };
  const release = await compileRelease(actionContext(context, store), inputs);
  const digest = await saveRelease(store, release);
  context.reporter.note(`release ${release.version} ${digest} (kernel: Debian's stock ${release.kernel.release})`);
  return undefined;
}

export async function runReleaseShow(context: CommandContext, wanted: string | undefined): CommandResult {
  const { release, digest } = await loadRelease(await contextStore(context), wanted);
  const shown = { digest, ...release };
  context.print(`${JSON.stringify(shown, null, 2)}\n`, shown);
  return undefined;
}

/** Fetches the packages of some groups as one step. */
export async function fetchGroups(
  context: CommandContext,
  store: Store,
  lock: Lock,
  groups: readonly string[],
): Promise<void> {
  const packages = [...new Map(groups.flatMap((g) => packagesOf(lock, g)).map((p) => [p.name, p])).values()];
  const step = context.reporter.step(`fetch ${packages.length} packages`);
  try {
    const onProgress = (p: { doneBytes: number; totalBytes: number }): void => step.progress(p.doneBytes, p.totalBytes);
    const fetched = await fetchPackages(store, packages, () => findMirrors(context.settings), {
      onProgress,
      signal: context.signal,
    });
    if (fetched === 0) step.cached();
    else step.done(`${fetched} fetched`);
  } catch (error) {
    step.failed();
    throw error;
  }
}

export async function prepareToolbox(
  context: CommandContext,
  store: Store,
  lock: Lock,
  group: string,
): Promise<Toolbox> {
  const step = context.reporter.step(`toolbox ${group}`);
  try {
    const ready = await toolboxReady(store, lock, group);
    const toolbox = await openToolbox(store, lock, group, {
      onUnpack: (done, total) => step.progress(done, total),
      signal: context.signal,
    });
    if (ready) step.cached();
    else step.done();
    return toolbox;
  } catch (error) {
    step.failed();
    throw error;
  }
}

function actionContext(context: CommandContext, store: Store): ActionContext {
  return {
    store,
    signal: context.signal,
    onAction: (name, cached) => {
      const step = context.reporter.step(name);
      return (error) => {
        if (error !== undefined) step.failed();
        else if (cached) step.cached();
        else step.done();
      };
    },
  };
}
