// SPDX-License-Identifier: Apache-2.0
// One line of text for what stays on the screen: the end of a step, an artifact, a note.
import { paint } from "./paint.ts";
import type { Meaning } from "./paint.ts";
import type { ArtifactWritten, StepFinished, StepOutcome } from "./progress-event.ts";
import { formatBytes, formatDuration } from "./quantity.ts";

/** Every line begins with a word of this width, so that names stand in one column. */
export const LABEL_WIDTH = 8;

const MEANINGS: Readonly<Record<StepOutcome, Meaning>> = { done: "good", cached: "reused", failed: "bad" };

/** `done    assemble raw image  0.42 s  (note)`; `name` may be longer than the step's own. */
export function finishedLine(event: StepFinished, name: string, color: boolean): string {
  const label = paint(event.outcome, MEANINGS[event.outcome], color) + " ".repeat(LABEL_WIDTH - event.outcome.length);
  const note = event.note === undefined ? "" : `  (${event.note})`;
  return `${label}${name}  ${formatDuration(event.durationMs)}${note}`;
}

/** `wrote   out/metal.raw  raw  512.0 MiB  sha256:…`. */
export function artifactLine({ path, kind, size, digest }: ArtifactWritten, color: boolean): string {
  const label = paint("wrote", "strong", color) + " ".repeat(LABEL_WIDTH - "wrote".length);
  return `${label}${path}  ${kind}  ${formatBytes(size)}  sha256:${digest}`;
}

export function noteLine(text: string): string {
  return `${"note".padEnd(LABEL_WIDTH)}${text}`;
}
