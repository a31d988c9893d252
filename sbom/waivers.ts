// SPDX-License-Identifier: Apache-2.0
// Ownership is complete or the build stops: applies sbom/waivers.yaml to the files that no component owns.
import { parse } from "yaml";
import { FactoryError, FactoryErrors } from "../builder/errors.ts";
import type { InventoryFile, Waiver } from "./inventory.ts";
import { NO_OWNER } from "./inventory.ts";

const WAIVERS_FILE = "sbom/waivers.yaml";

/** Narrows the text of sbom/waivers.yaml. Throws RELEASE_INVALID. */
export function parseWaivers(text: string): readonly Waiver[] {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (error) {
    throw wrong("document", error instanceof Error ? error.message.split("\n", 1).join() : "text", "YAML", undefined);
  }
  const list = (value as { waivers?: unknown } | null)?.waivers;
  const isAlone = typeof value === "object" && value !== null && Object.keys(value).length === 1;
  if (!isAlone || !Array.isArray(list)) throw wrong("document", value, "one list, waivers", undefined);
  const waivers = list as unknown[];
  const bad = waivers.find((w) => !isWaiver(w));
  if (bad !== undefined) throw wrong("waivers", bad, "path (root:… or initramfs:…) and a reason", undefined);
  return waivers as readonly Waiver[];
}

function isWaiver(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 2) return false;
  const { path, reason } = value as Record<string, unknown>;
  const isPath = typeof path === "string" && /^(root|initramfs):[^/]/.test(path);
  return isPath && typeof reason === "string" && reason.trim() !== "";
}

/** The waivers in use. Throws RELEASE_INVALID for every unowned file without one, and for every waiver without a file. */
export function applyWaivers(files: readonly InventoryFile[], waivers: readonly Waiver[]): readonly Waiver[] {
  const unowned = new Set(files.filter((f) => f.owner === NO_OWNER).map((f) => `${f.image}:${f.path}`));
  const waived = new Set(waivers.map((w) => w.path));
  const problems = [
    ...[...unowned]
      .filter((path) => !waived.has(path))
      .map((path) =>
        wrong(
          path,
          "no owner",
          "a component that owns each file",
          `add the rule that owns it, or a waiver with a reason to ${WAIVERS_FILE}`,
        ),
      ),
    ...waivers
      .filter((w) => !unowned.has(w.path))
      .map((w) =>
        wrong(w.path, "a waiver without an unowned file", "waivers that are in use", `remove it from ${WAIVERS_FILE}`),
      ),
  ];
  const [first] = problems;
  if (first !== undefined) throw problems.length === 1 ? first : new FactoryErrors(problems);
  return waivers;
}

function wrong(field: string, found: unknown, expected: string, fix: string | undefined): FactoryError {
  const file = WAIVERS_FILE;
  return new FactoryError({ code: "RELEASE_INVALID", file, field, found, expected, fix: fix ?? "correct the file" });
}
