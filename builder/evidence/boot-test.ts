// SPDX-License-Identifier: Apache-2.0
// A boot test as an in-toto predicate: which machine an artifact was started on and what was seen. Our own type, since
// the test-result type of in-toto (test-result/v0.1) has no place for the machine.
import type { Sha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import type { Statement, Subject } from "./statement.ts";
import { statementOf } from "./statement.ts";

export interface BootTest {
  readonly machine: {
    readonly firmware: "uefi" | "bios";
    /** How the artifact was attached: `disk`, `cdrom`, `usb`, … */
    readonly attachment: string;
    readonly memoryMib: number;
    readonly accelerator: "tcg" | "kvm";
  };
  readonly seen: {
    /** Boot phases in the order in which the console showed them. */
    readonly phases: readonly string[];
    /** The line that said that the machine was up; null when none came. */
    readonly readyLine: string | null;
    /** SHA-256 of the console log. */
    readonly log: Sha256;
  };
  readonly result: "passed" | "failed";
}

/** A test that was passed without a ready line is not one: the result follows from what was seen. */
export function bootTestStatement(subject: Subject, test: Omit<BootTest, "result">): Statement {
  const result = test.seen.readyLine === null ? "failed" : "passed";
  const { log, ...seen } = test.seen;
  const predicate = { result, machine: test.machine, seen: { ...seen, log: { digest: { sha256: log } } } };
  return statementOf("boot-test", subject, predicate satisfies JsonObject);
}
