// SPDX-License-Identifier: Apache-2.0
// What happens during a command, as values. `--progress json` writes each as one line of JSON; the other views are
// drawn from the same values. `atMs` counts milliseconds from the start of the command; times are never part of an
// artifact.
import type { ErrorJson } from "./error-json.ts";

export type StepOutcome = "done" | "cached" | "failed";

/** A step began. `id` counts from 1; `parent` is the step that contains it. */
export interface StepStarted {
  readonly event: "step-started";
  readonly atMs: number;
  readonly id: number;
  readonly parent?: number;
  readonly name: string;
}

/** `done` of `total` units of the step's own kind; without `total` the end is not known. */
export interface StepProgress {
  readonly event: "step-progress";
  readonly atMs: number;
  readonly id: number;
  readonly done: number;
  readonly total?: number;
}

/** A step ended; each step that began ends at most once. */
export interface StepFinished {
  readonly event: "step-finished";
  readonly atMs: number;
  readonly id: number;
  readonly name: string;
  readonly outcome: StepOutcome;
  readonly durationMs: number;
  readonly note?: string;
}

/** A finished file or blob: its size in bytes and SHA-256 as hexadecimal digits. */
export interface Artifact {
  readonly path: string;
  readonly size: number;
  readonly digest: string;
  readonly kind: string;
}

export interface ArtifactWritten extends Artifact {
  readonly event: "artifact";
  readonly atMs: number;
}

export interface NoteGiven {
  readonly event: "note";
  readonly atMs: number;
  readonly text: string;
}

export interface ProblemFound extends ErrorJson {
  readonly event: "problem";
  readonly atMs: number;
}

/** All that a view is shown, except for problems, which each view renders from the error itself. */
export type ViewEvent = StepStarted | StepProgress | StepFinished | ArtifactWritten | NoteGiven;

/** All that `--progress json` writes. New kinds may be added; programs skip those they do not know. */
export type ProgressEvent = ViewEvent | ProblemFound;

/** Draws events. `tick` gives a view the chance to show that time has passed; `close` leaves a tidy terminal. */
export interface View {
  readonly show: (event: ViewEvent) => void;
  readonly problem: (error: unknown, atMs: number) => void;
  readonly tick: (atMs: number) => void;
  readonly close: () => void;
}
