// SPDX-License-Identifier: Apache-2.0
// Compares text with a golden file, or rewrites the file when UPDATE_GOLDENS is set.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

export function matchGolden(file: URL, text: string): void {
  if (process.env["UPDATE_GOLDENS"] !== undefined) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
}
