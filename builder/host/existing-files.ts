// SPDX-License-Identifier: Apache-2.0
import { stat } from "node:fs/promises";

/** Those of `paths` that are there, in the given order. */
export async function existingFiles(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}
