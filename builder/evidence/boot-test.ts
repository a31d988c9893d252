// SPDX-License-Identifier: Apache-2.0
// Boot tests as an in-toto predicate: on which machines an artifact was started, and what was seen on each. Our own type,
// since the test-result type of in-toto (test-result/v0.1) has no place for the machine.
import { isDeepStrictEqual } from "node:util";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, memberAt } from "./json.ts";
import type { Statement, Subject } from "./statement.ts";
import { statementOf } from "./statement.ts";

export interface BootTest {
  readonly machine: {
    readonly firmware: "uefi" | "bios";
    /** How the artifact was attached: `disk`, `cdrom`, `usb`, … */
    readonly attachment: string;
    readonly memoryMib: number;
    readonly accelerator: "tcg" | "kvm";
    /** Whatever else distinguishes it, such as the network adapter. */
    readonly options?: Readonly<Record<string, string | number | boolean>>;
  };
  /** Firmware and emulator, by package. */
  readonly software: readonly { readonly name: string; readonly version: string; readonly digest: Sha256 }[];
  readonly seen: {
    /** Boot phases in the order in which the console showed them. */
    readonly phases: readonly string[];
    /** The line that said that the machine was up; null when none came. */
    readonly readyLine: string | null;
    /** The machine ended by itself after it was up. */
    readonly poweredOff: boolean;
    /** SHA-256 of the console log. */
    readonly log: Sha256;
  };
}

/** Each test is passed or not by what was seen, and the whole when every one is. */
export function bootTestStatement(subject: Subject, tests: readonly BootTest[]): Statement {
  const predicate = {
    result: tests.every(isPassed) ? "passed" : "failed",
    tests: tests.map(({ machine, software, seen: { log, ...seen } }) => ({
      machine,
      software: software.map(({ name, version, digest }) => ({ name, version, digest: { sha256: digest } })),
      seen: { ...seen, log: { digest: { sha256: log } } },
    })),
  };
  return statementOf("boot-test", subject, predicate satisfies JsonObject);
}

const MAX_TESTS = 100;

/** Throws EVIDENCE_INVALID with the field that is wrong. The caller has checked kind and subject. */
export function readBootTests({ subject, predicate }: Statement, file: string): readonly BootTest[] {
  const list = predicate["tests"];
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_TESTS)
    throw invalidEvidence(file, "predicate.tests", typeof list, `a list of 1 to ${MAX_TESTS}`);
  const tests = list.map((test: unknown, i) => readTest(test, `${file} tests.${i}`));
  // Written again it must be the same: then nothing odd is in it, and the result is the one that follows.
  const again = bootTestStatement(subject, tests).predicate;
  if (isDeepStrictEqual(again, predicate)) return tests;
  throw invalidEvidence(file, "predicate", predicate["result"], `${String(again["result"])}, and no unknown members`);
}

/** For people: `uefi disk (tcg)`. Throws EVIDENCE_INVALID when a test was not passed. */
export function describeBootTests(tests: readonly BootTest[], file: string): string {
  const nameOf = ({ machine }: BootTest): string =>
    `${machine.firmware} ${machine.attachment} (${machine.accelerator})`;
  const failed = tests.filter((test) => !isPassed(test));
  if (failed.length > 0) throw invalidEvidence(file, "result", `failed on ${failed.map(nameOf).join(", ")}`, "passed");
  return `started and ready on ${tests.map(nameOf).join(", ")}`;
}

/** The same machine: a later test of it takes the place of an earlier one. */
export function isSameMachine(a: BootTest, b: BootTest): boolean {
  return isDeepStrictEqual(a.machine, b.machine);
}

function isPassed({ seen }: BootTest): boolean {
  return seen.readyLine !== null && seen.poweredOff;
}

function readTest(value: unknown, file: string): BootTest {
  const machine = memberAt(value, "machine");
  const software = memberAt(value, "software");
  const [phases, readyLine, poweredOff, log] = ["phases", "readyLine", "poweredOff", "log.digest.sha256"].map((name) =>
    memberAt(value, `seen.${name}`),
  );
  const isMachine =
    isObject(machine) &&
    ["firmware", "attachment", "accelerator"].every((name) => typeof machine[name] === "string") &&
    typeof machine["memoryMib"] === "number";
  if (!isMachine) throw invalidEvidence(file, "machine", machine, "firmware, attachment, accelerator and memoryMib");
  if (!Array.isArray(phases) || !phases.every((phase) => typeof phase === "string"))
    throw invalidEvidence(file, "seen.phases", typeof phases, "a list of texts");
  if (readyLine !== null && typeof readyLine !== "string")
    throw invalidEvidence(file, "seen.readyLine", typeof readyLine, "a line or null");
  if (typeof log !== "string" || !isSha256(log)) throw invalidEvidence(file, "seen.log", log, "a SHA-256");
  if (!Array.isArray(software)) throw invalidEvidence(file, "software", typeof software, "a list");
  return {
    machine: machine as unknown as BootTest["machine"],
    software: software.map((entry: unknown) => readSoftware(entry, file)),
    seen: { phases, readyLine, poweredOff: poweredOff === true, log },
  };
}

function readSoftware(value: unknown, file: string): BootTest["software"][number] {
  const [name, version, digest] = ["name", "version", "digest.sha256"].map((member) => memberAt(value, member));
  if (typeof name === "string" && typeof version === "string" && typeof digest === "string" && isSha256(digest))
    return { name, version, digest };
  throw invalidEvidence(file, "software", name, "name, version and SHA-256 of a package");
}
