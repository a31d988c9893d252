// SPDX-License-Identifier: Apache-2.0
// Progress on a terminal: finished lines scroll up, the steps under way stay below them and are redrawn in place.
// Each update is one write: erase the live lines, print what stays, draw the live lines again.
// Spec: ECMA-48, CUU (cursor up) and ED (erase in page). Limit: a terminal that gets narrower between two redraws
// can keep a stale line.
import { renderError } from "./error-text.ts";
import { artifactLine, finishedLine, LABEL_WIDTH, noteLine } from "./event-line.ts";
import { paint } from "./paint.ts";
import { fitWidth } from "./plain-text.ts";
import type { StepProgress, StepStarted, View, ViewEvent } from "./progress-event.ts";
import { formatDuration } from "./quantity.ts";

const SPINNER = ["|", "/", "-", "\\"] as const;
const SPINNER_TURN_MS = 120;
const REDRAW_INTERVAL_MS = 80;
const MAX_LIVE_LINES = 10;
const INDENT = "  ";

export interface TtyOptions {
  readonly write: (text: string) => void;
  readonly columns: () => number;
  readonly color: boolean;
}

interface LiveStep {
  readonly name: string;
  readonly depth: number;
  readonly beganMs: number;
  readonly done?: number;
  readonly total?: number | undefined;
}

export function createTtyView({ write, columns, color }: TtyOptions): View {
  const steps = new Map<number, LiveStep>();
  let drawnLines = 0;
  let drawnAtMs = -REDRAW_INTERVAL_MS;

  const update = (lasting: string, atMs: number): void => {
    const erase = drawnLines === 0 ? "" : `\u001b[${drawnLines}A\u001b[J`;
    const live = liveLines([...steps.values()], atMs, columns());
    drawnLines = live.length;
    drawnAtMs = atMs;
    const text = erase + lasting + live.map((line) => `${paint(line, "quiet", color)}\n`).join("");
    if (text !== "") write(text);
  };

  const show = (event: ViewEvent): void => {
    switch (event.event) {
      case "step-started":
        addStep(steps, event);
        return update("", event.atMs);
      case "step-progress":
        setProgress(steps, event);
        return event.atMs - drawnAtMs < REDRAW_INTERVAL_MS ? undefined : update("", event.atMs);
      case "step-finished": {
        const indent = INDENT.repeat(steps.get(event.id)?.depth ?? 0);
        steps.delete(event.id);
        return update(`${finishedLine(event, indent + event.name, color)}\n`, event.atMs);
      }
      case "artifact":
        return update(`${artifactLine(event, color)}\n`, event.atMs);
      case "note":
        return update(`${noteLine(event.text)}\n`, event.atMs);
      default:
        return event satisfies never;
    }
  };

  return {
    show,
    problem: (error, atMs) => update(`${renderError(error, { color })}\n`, atMs),
    tick: (atMs) => (drawnLines === 0 ? undefined : update("", atMs)),
    close: () => {
      steps.clear();
      update("", drawnAtMs);
    },
  };
}

/** Puts the step behind its parent and the parent's other steps, so that a tree reads from top to bottom. */
function addStep(steps: Map<number, LiveStep>, event: StepStarted): void {
  const parent = event.parent === undefined ? undefined : steps.get(event.parent);
  const step = { name: event.name, depth: parent === undefined ? 0 : parent.depth + 1, beganMs: event.atMs };
  const entries = [...steps];
  const at = entries.findIndex(([id]) => id === event.parent);
  const next = entries.findIndex(([, other], index) => index > at && other.depth < step.depth);
  entries.splice(at === -1 || next === -1 ? entries.length : next, 0, [event.id, step]);
  steps.clear();
  for (const [id, live] of entries) steps.set(id, live);
}

function setProgress(steps: Map<number, LiveStep>, { id, done, total }: StepProgress): void {
  const step = steps.get(id);
  if (step !== undefined) steps.set(id, { ...step, done, total });
}

function liveLines(steps: readonly LiveStep[], atMs: number, columns: number): readonly string[] {
  const shown = steps.length > MAX_LIVE_LINES ? steps.slice(0, MAX_LIVE_LINES - 1) : steps;
  const spinner = SPINNER[Math.floor(atMs / SPINNER_TURN_MS) % SPINNER.length] ?? "|";
  const lines = shown.map((step) => liveLine(step, spinner, atMs));
  const hidden = steps.length - shown.length;
  if (hidden > 0) lines.push(`${" ".repeat(LABEL_WIDTH)}and ${hidden} more`);
  // One column stays free: some terminals wrap when the last one is written.
  return lines.map((line) => fitWidth(line, columns - 1));
}

function liveLine({ name, depth, beganMs, done, total }: LiveStep, spinner: string, atMs: number): string {
  const parts = [INDENT.repeat(depth) + name];
  if (done !== undefined) parts.push(total === undefined || total <= 0 ? String(done) : percent(done, total));
  parts.push(formatDuration(atMs - beganMs));
  return spinner.padEnd(LABEL_WIDTH) + parts.join("  ");
}

function percent(done: number, total: number): string {
  return `${Math.floor((done / total) * 100)} %`;
}
