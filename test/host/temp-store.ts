// SPDX-License-Identifier: Apache-2.0
// A store in a fresh directory that is gone after the tests of the file that asked for it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Store } from "../../builder/host/store.ts";
import { openStore } from "../../builder/host/store.ts";

/** A fresh directory. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), "dodeka-test-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function temporaryStore(): Promise<Store> {
  return openStore(join(temporaryDirectory(), "store"));
}
