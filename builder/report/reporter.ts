// SPDX-License-Identifier: Apache-2.0
// Progress of a command. Commands report steps, notes, artifacts and problems; a view shows them on a terminal, in a
// log, or as JSON. Pure: the clock and the output are arguments, so equal calls at equal times write equal bytes.
import { createJsonView } from "./json-view.ts";
import { createPlainView } from "./plain-view.ts";
import { cleanLine } from "./plain-text.ts";
import type { Artifact, StepOutcome, View } from "./progress-event.ts";
import { createTtyView } from "./tty-view.ts";

export type ReporterKind = "tty" | "plain" | "json";

export interface ReporterOptions {
  readonly kind: ReporterKind;
  readonly write: (text: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Width of the terminal; asked before each redraw. 80 without it. */
  readonly columns?: () => number;
  readonly color?: boolean;
}

/** A step under way. After cached, done or failed every further call on it does nothing. */
export interface Step {
  /** Begins a step inside this one. */
  readonly step: (name: string) => Step;
  readonly progress: (done: number, total?: number) => void;
  /** Ends it: an earlier result was taken. */
  readonly cached: (note?: string) => void;
  readonly done: (note?: string) => void;
  readonly failed: (note?: string) => void;
}

export interface Reporter {
  /** Begins a step. Steps may overlap. */
  readonly step: (name: string) => Step;
  readonly note: (text: string) => void;
  readonly artifact: (artifact: Artifact) => void;
  readonly problem: (error: unknown) => void;
  /** For a timer of the caller, a few times a second: turns the spinner, announces long steps. */
  readonly tick: () => void;
  /** The last call: takes unfinished steps off a terminal. */
  readonly close: () => void;
}

export function createReporter(options: ReporterOptions): Reporter {
  const view = createView(options);
  const startMs = options.now();
  const clock = (): number => options.now() - startMs;
  let lastId = 0;

  const startStep = (name: string, parent?: number): Step => {
    const id = ++lastId;
    const beganMs = clock();
    let open = true;
    const safeName = cleanLine(name);
    view.show({
      event: "step-started",
      atMs: beganMs,
      id,
      ...(parent === undefined ? {} : { parent }),
      name: safeName,
    });
    const finish = (outcome: StepOutcome, note?: string): void => {
      if (!open) return;
      open = false;
      const atMs = clock();
      const what = { id, name: safeName, outcome, durationMs: atMs - beganMs };
      view.show({ event: "step-finished", atMs, ...what, ...(note === undefined ? {} : { note: cleanLine(note) }) });
    };
    return {
      step: (child) => startStep(child, id),
      progress: (done, total) => {
        if (!open) return;
        view.show({ event: "step-progress", atMs: clock(), id, done, ...(total === undefined ? {} : { total }) });
      },
      cached: (note) => finish("cached", note),
      done: (note) => finish("done", note),
      failed: (note) => finish("failed", note),
    };
  };

  return {
    step: (name) => startStep(name),
    note: (text) => view.show({ event: "note", atMs: clock(), text: cleanLine(text) }),
    artifact: ({ path, size, digest, kind }) =>
      view.show({ event: "artifact", atMs: clock(), path: cleanLine(path), size, digest, kind: cleanLine(kind) }),
    problem: (error) => view.problem(error, clock()),
    tick: () => view.tick(clock()),
    close: () => view.close(),
  };
}

function createView(options: ReporterOptions): View {
  const color = options.color ?? false;
  const columns = options.columns ?? ((): number => 80);
  switch (options.kind) {
    case "tty":
      return createTtyView({ write: options.write, columns, color });
    case "plain":
      return createPlainView(options.write);
    case "json":
      return createJsonView(options.write);
    default:
      return options.kind satisfies never;
  }
}
