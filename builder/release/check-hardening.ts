// SPDX-License-Identifier: Apache-2.0
// Runs Debian's kernel-hardening-checker on a configuration, in its own toolbox.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import { removeTree } from "../host/remove-tree.ts";
import { runInSandbox } from "../host/sandbox.ts";
import type { Store } from "../host/store.ts";
import { temporaryPath } from "../host/store.ts";
import type { Toolbox } from "./toolbox.ts";

/** The checker's JSON report. Throws ACTION_FAILED. */
export async function hardeningReport(store: Store, judges: Toolbox, config: string): Promise<string> {
  const dir = await temporaryPath(store);
  await mkdir(dir);
  try {
    await writeFile(join(dir, "config"), config);
    const argv = ["kernel-hardening-checker", "-c", "config", "-m", "json"];
    const binds = [{ host: dir, inside: "/build", writable: false }];
    const result = await runInSandbox(judges.root, { argv, binds, cwd: "/build" });
    if (result.exitCode === 0) return result.stdout;
    throw new FactoryError({
      code: "ACTION_FAILED",
      field: "kernel-hardening-checker",
      found: `exit code ${result.exitCode}`,
      expected: "a report",
      fix: "read the output above",
      output: result.stderr,
    });
  } finally {
    await removeTree(dir);
  }
}
