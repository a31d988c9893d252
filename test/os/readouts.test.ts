// SPDX-License-Identifier: Apache-2.0
// What the stock client shows of a configured machine: versions, state, files, processes, logs.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ADMIN, assertRefused, openApiTest } from "./api-test.ts";

const api = await openApiTest("configured");
const admin = await api.clientOf("admin", ADMIN);

/** Commands whose output is a table; a row of it must match. */
const TABLES: readonly { readonly args: readonly string[]; readonly row: RegExp }[] = [
  { args: ["version"], row: /^\s*Tag:\s+v\d/m },
  { args: ["service"], row: /^127\.0\.0\.1\s+apid\s+Running\s/m },
  { args: ["service", "apid"], row: /^STATE\s+Running$/m },
  { args: ["logs", "apid"], row: /^127\.0\.0\.1: ./m },
  { args: ["get", "services"], row: /\sService\s+apid\s/ },
  { args: ["memory"], row: /^127\.0\.0\.1\s+\d+\s+\d+/m },
  { args: ["memory", "--verbose"], row: /MemTotal:\s+[1-9]\d* kB/ },
  { args: ["processes"], row: /^127\.0\.0\.1\s+\d+\s+[RSDI]\s.*-listen\s/m },
  { args: ["mounts"], row: /^127\.0\.0\.1\s+\S+\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+[\d.]+%\s+\/$/m },
  { args: ["netstat", "-l", "-t", "-p"], row: /^127\.0\.0\.1\s+tcp6?\s.*LISTEN\s+\d+\/hostrun/m },
  { args: ["list", "/etc"], row: /^(127\.0\.0\.1\s+)?hostname$/m },
  { args: ["list", "-l", "/proc/1"], row: /^127\.0\.0\.1\s+-r--r--r--\s+0\s+0\s+0\s.*\scmdline$/m },
  { args: ["usage", "/etc/ssl"], row: /^127\.0\.0\.1\s+\d+\s+\.?/m },
  { args: ["get", "rd"], row: /^127\.0\.0\.1\s+meta\s+ResourceDefinition\s+machinestatuses\.runtime\.talos\.dev\s/m },
  { args: ["get", "namespaces"], row: /^127\.0\.0\.1\s+meta\s+Namespace\s+runtime\s/m },
  { args: ["get", "machineconfig", "-o", "yaml"], row: /^\s+type: controlplane$/m },
  { args: ["inspect", "dependencies"], row: /^digraph/m },
];

for (const { args, row } of TABLES) {
  test(`talosctl ${args.join(" ")} shows the machine`, async () => {
    assert.match(await admin.ok(args), row);
  });
}

test("talosctl read gives the bytes of a file, and of one that the kernel makes up", async () => {
  assert.equal(await admin.ok(["read", "/etc/hostname"]), readFileSync("/etc/hostname", "utf8"));
  assert.equal(await admin.ok(["read", "/proc/sys/kernel/ostype"]), "Linux\n");
});

test("talosctl copy unpacks a tree, links as links", async () => {
  const from = join(api.dir, "from");
  mkdirSync(join(from, "sub"), { recursive: true });
  writeFileSync(join(from, "sub/file"), "content");
  symlinkSync("/etc/passwd", join(from, "link"));
  await admin.ok(["copy", from, join(api.dir, "to")]);
  assert.deepEqual(
    new Set(readdirSync(join(api.dir, "to"), { recursive: true, encoding: "utf8" })),
    new Set(["link", "sub", "sub/file"]),
  );
  assert.equal(readFileSync(join(api.dir, "to/sub/file"), "utf8"), "content");
  assert.equal(readlinkSync(join(api.dir, "to/link")), "/etc/passwd");
});

test("talosctl dmesg prints records with facility, priority and time", async () => {
  const shown = await admin.ok(["dmesg"]);
  assert.match(shown, /^127\.0\.0\.1: (kern|user|daemon):\s+\w+: \[\d{4}-\d\d-\d\dT[\d:.]+Z\]: ./m);
});

test("talosctl events gives what happened before", async () => {
  const event = /^127\.0\.0\.1\s+\S+\s+\S+ServiceStateEvent$/m;
  const { stdout } = await admin.run(["events", "--tail", "-1"], { until: event });
  assert.match(stdout, event);
});

/** Paths that must not be read or listed, and what is said. */
const EVIL: readonly (readonly [path: string, why: RegExp])[] = [
  ["/proc/self/root/etc/hostname", /PermissionDenied/],
  ["/proc/1/cwd", /PermissionDenied/],
  ["/proc/self/fd/0", /PermissionDenied/],
  ["/nowhere/at/all", /NotFound/],
  [`/${"a".repeat(5000)}`, /InvalidArgument/],
];

for (const [path, why] of EVIL) {
  test(`list, read and copy refuse ${path.slice(0, 40)}`, async () => {
    for (const args of [
      ["list", path],
      ["read", path],
      ["copy", path, "-"],
    ])
      assertRefused(await admin.run(args), why);
  });
}

test("read refuses what is not a regular file", async () => {
  for (const path of ["/dev/zero", "/etc", "/dev/kmsg"])
    assertRefused(await admin.run(["read", path]), /InvalidArgument.*regular file/s);
});
