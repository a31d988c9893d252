// SPDX-License-Identifier: Apache-2.0
// What commands that compile share: locked packages, toolboxes and actions, each shown as a step.
import { findMirrors } from "../release/apt-config.ts";
import type { Store } from "../host/store.ts";
import type { ActionContext } from "../release/action.ts";
import { fetchPackages } from "../release/fetch-packages.ts";
import type { Lock } from "../release/lock.ts";
import { packagesOf } from "../release/lock.ts";
import type { Toolbox } from "../release/toolbox.ts";
import { openToolbox, toolboxReady } from "../release/toolbox.ts";
import type { Step } from "../report/reporter.ts";
import type { CommandContext } from "./context.ts";

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

/** Unpacks a group's toolbox as one step; its packages must be in the store. */
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

/** Shows actions as steps. */
export function actionContext(context: CommandContext, store: Store): ActionContext {
  const running = new Map<string, Step>();
  const failure = new AbortController(); // ends the steps that run beside one that failed
  return {
    store,
    signal: AbortSignal.any([context.signal, failure.signal]),
    onProgress: (name, done) => running.get(name)?.progress(done),
    onAction: (name, cached) => {
      const step = context.reporter.step(name);
      running.set(name, step);
      return (error) => {
        if (error !== undefined) {
          step.failed();
          failure.abort(error);
        } else if (cached) step.cached();
        else step.done();
      };
    },
  };
}
