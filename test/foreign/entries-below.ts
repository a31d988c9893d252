// SPDX-License-Identifier: Apache-2.0
// Everything in an unpacked tree, once: node's own recursive readdir goes through links to folders as well.
import type { Dirent } from "node:fs";
import { readdirSync } from "node:fs";
import { join } from "node:path";

export function entriesBelow(root: string): readonly Dirent[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry, ...entriesBelow(join(root, entry.name))] : [entry],
  );
}
