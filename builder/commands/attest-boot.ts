// SPDX-License-Identifier: Apache-2.0
// Writes down how a machine started from an image: `<file>.boot-test.json`, the console log that it names by digest, and
// a signature when there is a signer. Tests of one image on several machines are collected in one statement.
import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { statementBytes } from "../evidence/attest.ts";
import type { BootTest } from "../evidence/boot-test.ts";
import { bootTestStatement, isSameMachine, readBootTests } from "../evidence/boot-test.ts";
import type { Signer } from "../evidence/signer.ts";
import { renderBundle, signStatement } from "../evidence/bundle.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { BOOT_LOG_SUFFIX, attestationSuffix, documentSuffix } from "../evidence/kinds.ts";
import { expectStatement, parseStatement, renderStatement } from "../evidence/statement.ts";
import type { ConsoleEvent, MachineRun } from "../host/machine.ts";
import { replaceFile } from "../host/partial-file.ts";
import type { MachineSpec } from "../host/qemu-args.ts";
import { readIfPresent } from "../host/read-bounded.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import type { Lock } from "../release/lock.ts";
import { packagesOf } from "../release/lock.ts";

const READY = /dodeka: ready .*/;

/** What a run showed. `lock` names the firmware and the emulator that ran. */
export function bootTestOf(spec: MachineSpec, run: MachineRun, lock: Lock): BootTest {
  const { firmware, as, memoryMib, accelerator, sectorBytes, serialOnly, nic } = spec;
  const wanted = new Set(["qemu-system-x86", firmware === "uefi" ? "ovmf" : "seabios"]);
  const software = packagesOf(lock, "machine").filter(({ name }) => wanted.has(name));
  const ready = run.events.some(({ kind }) => kind === "ready") ? (READY.exec(run.log)?.[0] ?? null) : null;
  const failed = run.events.some(({ kind }) => kind === "failed");
  return {
    machine: { firmware, attachment: as, memoryMib, accelerator, options: { sectorBytes, serialOnly, nic } },
    software: software.map(({ name, version, sha256: digest }) => ({ name, version, digest })),
    seen: {
      phases: run.events.flatMap((event: ConsoleEvent) => (event.kind === "phase" ? [event.name] : [])),
      readyLine: failed ? null : ready,
      poweredOff: !run.timedOut && run.exitCode === 0,
      log: sha256(run.log),
    },
  };
}

/** Returns the statement's path. Throws EVIDENCE_INVALID when what is there already is no boot test. */
export async function writeBootTest(
  path: string,
  digest: Sha256,
  test: BootTest & { readonly console: string },
  signer: Signer | undefined,
): Promise<string> {
  const file = `${path}${documentSuffix("boot-test")}`;
  const { console: log, ...added } = test;
  const earlier = await earlierTests(file, digest);
  const tests = [...earlier.filter((known) => !isSameMachine(known, added)), added];
  const subject = { name: basename(path), digest };
  const document = Buffer.from(renderStatement(bootTestStatement(subject, tests)));
  const signed = signer && (await signStatement(statementBytes("boot-test", subject, document, file), signer));
  await replaceFile(`${path}${BOOT_LOG_SUFFIX}`, log);
  await replaceFile(file, document);
  const bundle = `${path}${attestationSuffix("boot-test")}`;
  if (signed === undefined)
    await rm(bundle, { force: true }); // it would say something else than the document
  else await replaceFile(bundle, renderBundle(signed));
  return file;
}

/** Of this very image; those of an earlier one under the same name count for nothing. */
async function earlierTests(file: string, digest: Sha256): Promise<readonly BootTest[]> {
  const bytes = await readIfPresent(file, EVIDENCE_MAX_BYTES);
  if (bytes === undefined) return [];
  const statement = parseStatement(bytes, file);
  if (statement.subject.digest !== digest) return [];
  expectStatement(statement, "boot-test", digest, file);
  return readBootTests(statement, file);
}
