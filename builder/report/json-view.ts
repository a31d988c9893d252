// SPDX-License-Identifier: Apache-2.0
// Progress as JSON, one ProgressEvent a line (jsonlines.org). Of a step's progress at most four events a second are
// written; the end of a step always is.
import { errorToJson } from "./error-json.ts";
import type { ProgressEvent, View } from "./progress-event.ts";

const PROGRESS_INTERVAL_MS = 250;

export function createJsonView(write: (text: string) => void): View {
  const lastProgressMs = new Map<number, number>();
  const emit = (event: ProgressEvent): void => write(`${JSON.stringify(event)}\n`);
  return {
    show: (event) => {
      if (event.event === "step-progress") {
        const last = lastProgressMs.get(event.id);
        if (last !== undefined && event.atMs - last < PROGRESS_INTERVAL_MS) return;
        lastProgressMs.set(event.id, event.atMs);
      }
      if (event.event === "step-finished") lastProgressMs.delete(event.id);
      emit(event);
    },
    problem: (error, atMs) => emit({ event: "problem", atMs, ...errorToJson(error) }),
    tick: () => {},
    close: () => {},
  };
}
