// SPDX-License-Identifier: Apache-2.0
// Holds a kernel configuration against kernel-config/requirements.yaml, and the findings of Debian's
// kernel-hardening-checker against kernel-config/waivers.yaml. Pure: configuration and reports are arguments.
import { parse } from "yaml";
import { FactoryError } from "../errors.ts";
import { parseConfig } from "./kernel-fragments.ts";

export const REQUIREMENTS_FILE = "kernel-config/requirements.yaml";
export const WAIVERS_FILE = "kernel-config/waivers.yaml";

/** builtin: y. extension: y or m. off: not set. */
export const REQUIRED_STATES = ["builtin", "extension", "off"] as const;

export type RequiredState = (typeof REQUIRED_STATES)[number];

export interface Requirement {
  readonly group: string;
  readonly state: RequiredState;
  /** One of them is enough. */
  readonly symbols: readonly string[];
  readonly reason: string;
}

export interface Finding {
  readonly requirement: Requirement;
  /** Values of the symbols, in their order; "n" when not set. */
  readonly found: readonly string[];
}

/** Narrows requirements.yaml. Throws RELEASE_INVALID. */
export function parseRequirements(text: string): readonly Requirement[] {
  const groups: unknown = parse(text);
  if (!Array.isArray(groups)) throw invalid(REQUIREMENTS_FILE, "document", groups, "a list of groups");
  const requirements = groups.flatMap((value: unknown) => requirementsOf(value));
  const seen = new Map<string, string>();
  for (const { group, symbols } of requirements) {
    const key = symbols.join("|");
    const before = seen.get(key);
    if (before !== undefined) throw invalid(REQUIREMENTS_FILE, `${group}.${key}`, `also in ${before}`, "one group");
    seen.set(key, group);
  }
  return requirements;
}

function requirementsOf(value: unknown): readonly Requirement[] {
  const { group, state, options } = (value ?? {}) as { group?: unknown; state?: unknown; options?: unknown };
  if (typeof group !== "string") throw invalid(REQUIREMENTS_FILE, "group", group, "a name");
  const known = REQUIRED_STATES.find((s) => s === state);
  if (known === undefined) throw invalid(REQUIREMENTS_FILE, `${group}.state`, state, REQUIRED_STATES.join(", "));
  if (typeof options !== "object" || options === null)
    throw invalid(REQUIREMENTS_FILE, `${group}.options`, options, "options with their reasons");
  return Object.entries(options).map(([symbols, reason]) => {
    const field = `${group}.${symbols}`;
    if (!/^[A-Z0-9_a-z]+(\|[A-Z0-9_a-z]+)*$/.test(symbols))
      throw invalid(REQUIREMENTS_FILE, field, symbols, "option names");
    if (typeof reason !== "string" || reason === "") throw invalid(REQUIREMENTS_FILE, field, reason, "a reason");
    return { group, state: known, symbols: symbols.split("|"), reason };
  });
}

/** Every requirement that the configuration does not meet, in the file's order. */
export function unmetRequirements(config: string, requirements: readonly Requirement[]): readonly Finding[] {
  const values = parseConfig(config);
  return requirements.flatMap((requirement) => {
    const found = requirement.symbols.map((symbol) => values.get(symbol) ?? "n");
    return isMet(requirement.state, found) ? [] : [{ requirement, found }];
  });
}

function isMet(state: RequiredState, found: readonly string[]): boolean {
  switch (state) {
    case "builtin":
      return found.includes("y");
    case "extension":
      return found.includes("y") || found.includes("m");
    case "off":
      return found.every((value) => value === "n");
    default:
      return state satisfies never;
  }
}

/** Throws RELEASE_INVALID that lists every requirement that is not met. */
export function checkRequirements(config: string, requirements: readonly Requirement[]): void {
  const unmet = unmetRequirements(config, requirements);
  if (unmet.length === 0) return;
  throw new FactoryError({
    code: "RELEASE_INVALID",
    file: REQUIREMENTS_FILE,
    field: "kernel configuration",
    found: `${unmet.length} of ${requirements.length} requirements not met`,
    expected: "all of them",
    fix: "correct kernel-config/fragments/",
    output: unmet.map(describeFinding).join("\n"),
  });
}

export function describeFinding({ requirement, found }: Finding): string {
  const { symbols, state, reason, group } = requirement;
  const values = symbols.map((symbol, i) => `CONFIG_${symbol}=${found[i] ?? "n"}`).join(" ");
  return `${values}, must be ${state === "off" ? "off" : state}: ${reason} (${group})`;
}

/** One option that kernel-hardening-checker would have otherwise. */
export interface HardeningFinding {
  readonly option: string;
  readonly desired: string;
  readonly result: string;
}

/** Narrows the output of `kernel-hardening-checker -m json`: what failed, and how many checks passed. */
export function parseHardeningReport(json: string): { passed: number; failed: readonly HardeningFinding[] } {
  const rows = JSON.parse(json) as unknown;
  if (!Array.isArray(rows)) throw invalid("kernel-hardening-checker", "report", rows, "a list of checks");
  const checks = rows as readonly Readonly<Record<string, unknown>>[];
  const failed = checks
    .filter((row) => row["check_result_bool"] !== true)
    .map((row) => ({
      option: String(row["option_name"]),
      desired: String(row["desired_val"]),
      result: String(row["check_result"]),
    }));
  return { passed: checks.length - failed.length, failed };
}

/** Reasons by option. Throws RELEASE_INVALID for a waiver without a reason. */
export function parseWaivers(text: string): ReadonlyMap<string, string> {
  const entries = Object.entries((parse(text) ?? {}) as Record<string, unknown>);
  return new Map(
    entries.map(([option, reason]) => {
      if (typeof reason !== "string" || reason === "") throw invalid(WAIVERS_FILE, option, reason, "a reason");
      return [option, reason];
    }),
  );
}

/** Throws RELEASE_INVALID for findings without a waiver and waivers without a finding. */
export function checkWaivers(failed: readonly HardeningFinding[], waivers: ReadonlyMap<string, string>): void {
  const options = new Set(failed.map((f) => f.option));
  const unwaived = failed.filter((f) => !waivers.has(f.option));
  const idle = [...waivers.keys()].filter((option) => !options.has(option));
  if (unwaived.length === 0 && idle.length === 0) return;
  throw new FactoryError({
    code: "RELEASE_INVALID",
    file: WAIVERS_FILE,
    field: "hardening",
    found: `${unwaived.length} findings without a waiver, ${idle.length} waivers without a finding`,
    expected: "a waiver with a reason for each finding, and no other",
    fix: "correct the configuration, or write down why not",
    output: [
      ...unwaived.map((f) => `${f.option}: ${f.result}, should be ${f.desired}`),
      ...idle.map((option) => `${option}: waived, and not found`),
    ].join("\n"),
  });
}

/** What changed between two configurations, a line each: `+ A=y`, `- B=m`, `C: m -> y`. */
export function describeConfigChange(before: string, after: string): readonly string[] {
  const [old, now] = [parseConfig(before), parseConfig(after)];
  const symbols = [...new Set([...old.keys(), ...now.keys()])].sort();
  return symbols.flatMap((symbol) => {
    const [a, b] = [old.get(symbol), now.get(symbol)];
    if (a === b) return [];
    if (a === undefined) return [`+ ${symbol}=${b ?? ""}`];
    return [b === undefined ? `- ${symbol}=${a}` : `${symbol}: ${a} -> ${b}`];
  });
}

function invalid(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({ code: "RELEASE_INVALID", file, field, found, expected, fix: "correct the file" });
}
