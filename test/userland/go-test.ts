// SPDX-License-Identifier: Apache-2.0
// Tests our Go code with the toolbox's own Go, offline, from the locked module caches.
import { join } from "node:path";
import { USERLAND_DIR } from "../../builder/release/go-modules.ts";
import { openGo, runGo } from "./go-box.ts";

/** Modules with code of ours, and the packages to test. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  ".": ["./..."],
  cni: ["./...", "sigs.k8s.io/knftables/..."], // the second lies in cni/knftables
};

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** Runs vet and tests; counts packages. */
export async function testGoUserland(): Promise<Count> {
  const counts: Count[] = [];
  for (const [folder, packages] of Object.entries(MODULES)) counts.push(await testModule(folder, packages));
  const sum = (of: (count: Count) => number): number => counts.reduce((total, count) => total + of(count), 0);
  return { passed: sum((c) => c.passed), failed: sum((c) => c.failed) };
}

async function testModule(folder: string, packages: readonly string[]): Promise<Count> {
  const box = await openGo(join(USERLAND_DIR, folder));
  const run = async (verb: string): Promise<{ exitCode: number; text: string }> => {
    const result = await runGo(box, [verb, ...packages]);
    const text = `${result.stdout}\n${result.stderr}`.trim();
    console.log(text);
    return { exitCode: result.exitCode, text };
  };
  const vet = await run("vet");
  const test = await run("test");
  const count = (pattern: RegExp): number => [...test.text.matchAll(pattern)].length;
  const passed = count(/^ok\s/gm) + (vet.exitCode === 0 ? 1 : 0);
  const failed = count(/^(FAIL|---? FAIL)\s+\S+\s/gm) + (vet.exitCode === 0 ? 0 : 1);
  return { passed, failed: test.exitCode !== 0 && failed === 0 ? 1 : failed };
}
