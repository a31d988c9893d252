// SPDX-License-Identifier: Apache-2.0
// Reads what `go test -json` prints. Spec: cmd/test2json. A skipped test has failed, unless it wants what cannot be lent.

/**
 * What tests say that want more than a user namespace has: kinds of links that the host's kernel has not, loop devices,
 * other user ids. Boots in a guest have all of them.
 */
const NOT_LENT = /this kernel has no links of kind|no loop device|starting a service needs/;

export interface Events {
  /** Packages. */
  readonly passed: number;
  /** Packages, and tests that were skipped. */
  readonly failed: number;
  /** What packages say, and tests that did not pass; of other programs' output every line. */
  readonly shown: string;
}

interface GoEvent {
  readonly Action: string;
  readonly Package?: string;
  readonly Test?: string;
  readonly Output?: string;
}

export function readEvents(text: string): Events {
  let [passed, failed] = [0, 0];
  const shown: string[] = [];
  const said = new Map<string, string>();
  for (const line of text.split("\n")) {
    const event = parseEvent(line);
    const { Action: action, Package: name = "", Test: test, Output: output = "" } = event;
    const key = `${name} ${test}`;
    if (test === undefined) {
      shown.push(output);
      if (action === "pass") passed += 1;
      if (action === "fail") failed += 1;
      continue;
    }
    const all = (said.get(key) ?? "") + output;
    said.set(key, all);
    if (action === "skip" && !NOT_LENT.test(all)) failed += 1;
    if (action === "skip" || action === "fail") shown.push(all);
  }
  return { passed, failed, shown: shown.join("").trim() };
}

/** A line that is no event is output of another program, or of a build that failed. */
function parseEvent(line: string): GoEvent {
  const plain = { Action: "output", Output: line === "" ? "" : `${line}\n` };
  if (!line.startsWith("{")) return plain;
  try {
    return JSON.parse(line) as GoEvent;
  } catch {
    return plain;
  }
}
