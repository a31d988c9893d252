// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { bootTestOf, writeBootTest } from "../../builder/commands/attest-boot.ts";
import type { BootTest } from "../../builder/evidence/boot-test.ts";
import { bootTestStatement, describeBootTests, readBootTests } from "../../builder/evidence/boot-test.ts";
import { parseStatement, renderStatement } from "../../builder/evidence/statement.ts";
import type { MachineRun } from "../../builder/host/machine.ts";
import { parseConsoleLine } from "../../builder/host/machine.ts";
import { DEFAULT_MACHINE } from "../../builder/host/qemu-args.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import { ARTIFACT, NAME, keyPair } from "./evidence-samples.ts";

const digest = sha256(ARTIFACT);
const lock = readLock();
const LOG = "BdsDxe: starting\ndodeka: phase mount t=0.5\ndodeka: ready phase=done address=10.0.2.15\n";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "boot-test-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function ran(log: string, change: Partial<MachineRun> = {}): MachineRun {
  const events = log.split("\n").flatMap((line) => parseConsoleLine(line) ?? []);
  return { log, events, exitCode: 0, timedOut: false, ...change };
}

const BIOS = { ...DEFAULT_MACHINE, firmware: "bios", as: "usb" } as const;

test("a boot test says on which firmware, from which package, and what was seen", () => {
  const { machine, software, seen } = bootTestOf(BIOS, ran(LOG), lock);
  assert.deepEqual([machine.firmware, machine.attachment, machine.accelerator], ["bios", "usb", "tcg"]);
  const locked = packagesOf(lock, "machine").find(({ name }) => name === "seabios");
  assert.ok(software.some((s) => s.name === "seabios" && s.version === locked?.version && s.digest === locked.sha256));
  assert.ok(!software.some(({ name }) => name === "ovmf"));
  assert.deepEqual(seen, {
    phases: ["mount"],
    readyLine: "dodeka: ready phase=done address=10.0.2.15",
    poweredOff: true,
    log: sha256(LOG),
  });
});

const FAILED: readonly (readonly [name: string, run: MachineRun])[] = [
  ["no ready line", ran("dodeka: phase mount t=0.5\n")],
  ["a failure after it was ready", ran(`${LOG}dodeka: failed phase=x reason=y\n`)],
  ["no end in time", ran(LOG, { timedOut: true })],
  ["another end than a power-off", ran(LOG, { exitCode: 137 })],
];

for (const [name, run] of FAILED) {
  test(`a boot test with ${name} has failed, and proves nothing`, () => {
    const statement = bootTestStatement({ name: NAME, digest }, [bootTestOf(BIOS, run, lock)]);
    assert.equal(statement.predicate["result"], "failed");
    const read = readBootTests(parseStatement(Buffer.from(renderStatement(statement)), "f"), "f");
    assert.throws(() => describeBootTests(read, "f"), { code: "EVIDENCE_INVALID" });
  });
}

function found(): readonly BootTest[] {
  const bytes = readFileSync(join(dir, `${NAME}.boot-test.json`));
  return readBootTests(parseStatement(bytes, "f"), "f");
}

test("tests on several machines are collected; the same machine again replaces, another image starts anew", async () => {
  const path = join(dir, NAME);
  const { signer } = keyPair("k");
  const tested = (spec: typeof DEFAULT_MACHINE, log: string): BootTest & { console: string } => {
    return { ...bootTestOf(spec, ran(log), lock), console: log };
  };
  await writeBootTest(path, digest, tested(DEFAULT_MACHINE, "nothing\n"), undefined);
  assert.deepEqual(readdirSync(dir).sort(), [`${NAME}.boot-test.json`, `${NAME}.boot-test.log`]);
  await writeBootTest(path, digest, tested(BIOS, LOG), signer);
  assert.deepEqual(
    found().map(({ seen }) => seen.readyLine === null),
    [true, false],
  );
  await writeBootTest(path, digest, tested(DEFAULT_MACHINE, LOG), signer);
  assert.equal(describeBootTests(found(), "f"), "started and ready on bios usb (tcg), uefi disk (tcg)");
  assert.equal(readFileSync(`${path}.boot-test.log`, "utf8"), LOG);
  assert.ok(readdirSync(dir).includes(`${NAME}.boot-test.sigstore.json`));
  await writeBootTest(path, sha256("another"), tested(BIOS, LOG), undefined);
  assert.equal(found().length, 1);
  assert.ok(!readdirSync(dir).includes(`${NAME}.boot-test.sigstore.json`), "a signature of the older statement");
});

const good = renderStatement(bootTestStatement({ name: NAME, digest }, [bootTestOf(BIOS, ran(LOG), lock)]));
const EDITS: readonly (readonly [name: string, from: string | RegExp, to: string])[] = [
  ["a better result than what was seen", '"poweredOff": true', '"poweredOff": false'],
  ["an unknown member", '"phases"', '"note": 1, "phases"'],
  ["no tests", /"tests": \[[\s\S]*\]\n/, '"tests": []\n'],
  ["a log without a digest", /"sha256": "[0-9a-f]+"(?=\s*\}\s*\}\s*\}\s*\}\s*\])/, '"sha256": "0"'],
  ["a machine without firmware", '"firmware": "bios"', '"firmwares": "bios"'],
];

for (const [name, from, to] of EDITS) {
  test(`readBootTests refuses ${name}`, () => {
    const edited = good.replace(from, to);
    assert.notEqual(edited, good);
    assert.throws(() => readBootTests(parseStatement(Buffer.from(edited), "f"), "f"), { code: "EVIDENCE_INVALID" });
  });
}

test("an earlier statement that does not parse is not written over", async () => {
  const path = join(dir, NAME);
  writeFileSync(`${path}.boot-test.json`, "{}");
  const tested = { ...bootTestOf(BIOS, ran(LOG), lock), console: LOG };
  await assert.rejects(writeBootTest(path, digest, tested, undefined), { code: "EVIDENCE_INVALID" });
});
