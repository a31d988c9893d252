// SPDX-License-Identifier: Apache-2.0
// dodeka kernel: check the configuration that the fragments give, and show what it changes.
import { readFile } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import type { Store } from "../host/store.ts";
import { readWholeBlob } from "../host/store.ts";
import { hardeningReport } from "../release/check-hardening.ts";
import { configureKernel } from "../release/kernel-build.ts";
import {
  checkRequirements,
  checkWaivers,
  describeConfigChange,
  parseHardeningReport,
  parseRequirements,
  parseWaivers,
} from "../release/kernel-check.ts";
import type { Lock } from "../release/lock.ts";
import { findPackage, readLock } from "../release/lock.ts";
import { actionContext, fetchGroups, prepareToolbox } from "./compile-steps.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep, contextStore } from "./context.ts";
import { kernelInputs, readConfigFile } from "./kernel-choice.ts";
import { findReleaseWith } from "./load-release.ts";

const CONFIG_LIMIT_BYTES = 8 * 1024 * 1024;

/**
 * Configures the locked source with the fragments, or takes the configuration in `file`, and checks it: every value
 * honoured, requirements met, hardening findings waived with reasons. Prints what differs from the newest release.
 */
export async function runKernelCheck(context: CommandContext, file: string | undefined): CommandResult {
  const store = await contextStore(context);
  const lock = readLock();
  const config = file === undefined ? await configured(context, store, lock) : await readUserFile(file);
  const requirements = parseRequirements(await readConfigFile("requirements.yaml"));
  checkRequirements(config, requirements);
  context.print(`requirements: ${requirements.length} of ${requirements.length} met\n`);
  await fetchGroups(context, store, lock, ["kernel-judges"]);
  const judges = await prepareToolbox(context, store, lock, "kernel-judges");
  const report = parseHardeningReport(
    await asStep(context, "kernel-hardening-checker", () => hardeningReport(store, judges, config)),
  );
  const waivers = parseWaivers(await readConfigFile("waivers.yaml"));
  checkWaivers(report.failed, waivers);
  context.print(`hardening: ${report.passed} checks passed, ${report.failed.length} waived\n`);
  for (const { option } of report.failed) context.print(`  ${option}: ${waivers.get(option) ?? ""}\n`);
  return undefined;
}

/** Prints what the fragments and the locked source change against the newest release with a kernel from source. */
export async function runKernelDiff(context: CommandContext): CommandResult {
  const store = await contextStore(context);
  const lock = readLock();
  const before = await findReleaseWith(store, "source");
  if (before === undefined) throw nothingToCompare(store.dir);
  const part = before.release.parts["kernel-config"];
  const old = Buffer.from(await readWholeBlob(store, part.digest, CONFIG_LIMIT_BYTES)).toString("utf8");
  const source = findPackage(lock, "kernel-source", /^linux-source-/);
  const now = await configured(context, store, lock);
  context.print(`${before.release.kernel.source ?? ""} -> deb:${source.name}@${source.version}\n`);
  const changes = describeConfigChange(old, now);
  context.print(changes.length === 0 ? "the configuration is the same\n" : `${changes.join("\n")}\n`);
  return undefined;
}

async function configured(context: CommandContext, store: Store, lock: Lock): Promise<string> {
  return (await configureKernel(actionContext(context, store), await kernelInputs(context, store, lock))).config;
}

async function readUserFile(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new FactoryError({
      code: "USAGE",
      file,
      field: "CONFIG",
      expected: "a kernel configuration (.config)",
      fix: "give the path of a readable file, or none for the fragments of this checkout",
      cause,
    });
  });
}

function nothingToCompare(dir: string): FactoryError {
  return new FactoryError({
    code: "RELEASE_MISSING",
    file: dir,
    field: "release",
    found: "no release with a kernel from source",
    expected: "one to compare with",
    fix: "run `dodeka release build`",
  });
}
