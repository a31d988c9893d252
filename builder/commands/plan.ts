// SPDX-License-Identifier: Apache-2.0
// dodeka plan: shows what a build would make, without making it.
import { canonicalJson } from "../plan/canonical-json.ts";
import { planId } from "../plan/plan.ts";
import type { BuildOptions } from "./build.ts";
import { makePlan } from "./build.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";

export type PlanFormat = "pretty" | "canonical" | "id";

/** Prints the plan. `canonical` are the very bytes whose SHA-256 is the plan's id. */
export async function runPlan(
  context: CommandContext,
  options: Omit<BuildOptions, "outputDir">,
  format: PlanFormat,
): CommandResult {
  const { plan } = await makePlan(await contextStore(context), options);
  switch (format) {
    case "pretty":
      context.print(`${JSON.stringify(JSON.parse(canonicalJson(plan)), null, 2)}\n`, plan);
      return undefined;
    case "canonical":
      context.print(canonicalJson(plan), canonicalJson(plan));
      return undefined;
    case "id":
      context.print(`${planId(plan)}\n`, planId(plan));
      return undefined;
    default:
      return format satisfies never;
  }
}
