// SPDX-License-Identifier: Apache-2.0
// Progress for logs: one line when a step ends, and one when a step has been running for five seconds, so that a log
// never looks dead. No escape sequences.
import { renderError } from "./error-text.ts";
import { artifactLine, finishedLine, LABEL_WIDTH, noteLine } from "./event-line.ts";
import type { View, ViewEvent } from "./progress-event.ts";

const LONG_STEP_MS = 5000;

interface OpenStep {
  /** Names of the steps around it and its own: `kernel: compile`. */
  readonly name: string;
  readonly beganMs: number;
  announced: boolean;
}

export function createPlainView(write: (text: string) => void): View {
  const open = new Map<number, OpenStep>();

  const announceLongSteps = (atMs: number, ending?: number): void => {
    for (const [id, step] of open) {
      if (step.announced || id === ending || atMs - step.beganMs < LONG_STEP_MS) continue;
      step.announced = true;
      write(`${"running".padEnd(LABEL_WIDTH)}${step.name}\n`);
    }
  };

  const show = (event: ViewEvent): void => {
    announceLongSteps(event.atMs, event.event === "step-finished" ? event.id : undefined);
    switch (event.event) {
      case "step-started": {
        const around = event.parent === undefined ? undefined : open.get(event.parent)?.name;
        const name = around === undefined ? event.name : `${around}: ${event.name}`;
        open.set(event.id, { name, beganMs: event.atMs, announced: false });
        return;
      }
      case "step-progress":
        return;
      case "step-finished":
        write(`${finishedLine(event, open.get(event.id)?.name ?? event.name, false)}\n`);
        open.delete(event.id);
        return;
      case "artifact":
        return write(`${artifactLine(event, false)}\n`);
      case "note":
        return write(`${noteLine(event.text)}\n`);
      default:
        return event satisfies never;
    }
  };

  return {
    show,
    problem: (error) => write(`${renderError(error, { color: false })}\n`),
    tick: (atMs) => announceLongSteps(atMs),
    close: () => {},
  };
}
