// SPDX-License-Identifier: Apache-2.0
// The release's own kernel at work: what containers need works, what must not work does not.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { ownRelease, runGuest } from "./guest-kernel.ts";

/** As in test/kernel/guest/main.go. */
const CHECKS = [
  "security modules are on",
  "type information is there",
  "memory and ports are closed",
  "another kernel is refused",
  "unprivileged BPF is off",
  "cgroup v2 has its controllers",
  "overlayfs merges",
  "links of pod networks",
  "nftables takes rules",
  "a container runs in all namespaces",
  "a foreign module is refused",
  "modules come from the pinned root only",
];

let lines: readonly string[] = [];

before(async () => {
  const { store, release } = await ownRelease();
  const log = await runGuest(store, release);
  lines = log.split(/\r?\n/);
  assert.ok(lines.includes("checks done"), log.slice(-3000));
});

for (const name of CHECKS) {
  test(`on our own kernel ${name}`, () => {
    const verdict = lines.find((line) => line.startsWith(`check ${name} `));
    assert.equal(verdict, `check ${name} ok`);
  });
}

test("no check of the guest goes unread", () => {
  const told = lines.flatMap((line) => /^check (.+?) (?:ok|FAILED)/.exec(line)?.[1] ?? []);
  assert.deepEqual(told, CHECKS);
});
