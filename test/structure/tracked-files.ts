// SPDX-License-Identifier: Apache-2.0
// The files of the project, whether the checkout is a git repository or a copy of one.
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

const SKIPPED = new Set(["node_modules", "out", "coverage", ".git"]);

/** Paths relative to the project's root, sorted. */
export function trackedFiles(): readonly string[] {
  const files: string[] = [];
  const walk = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) files.push(relative(ROOT, path));
    }
  };
  walk(ROOT);
  return files.sort((a, b) => (a < b ? -1 : 1));
}
