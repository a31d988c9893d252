// SPDX-License-Identifier: Apache-2.0
// Who may do what, and who is not let in at all.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ADMIN, OPERATOR, READER, assertRefused, openApiTest } from "./api-test.ts";
import type { Person } from "./cluster.ts";
import { joinTalosconfig, makeCluster } from "./cluster.ts";

const api = await openApiTest("configured");
const config = join(api.cluster.dir, "generated/controlplane.yaml");

interface Right {
  readonly args: readonly string[];
  readonly who: Person;
  readonly name: string;
}

const ALLOWED: readonly Right[] = [
  { name: "reader", who: READER, args: ["version"] },
  { name: "reader", who: READER, args: ["processes"] },
  { name: "reader", who: READER, args: ["list", "/"] },
  { name: "reader", who: READER, args: ["get", "rd"] },
  { name: "operator", who: OPERATOR, args: ["dmesg"] },
];

const REFUSED: readonly Right[] = [
  { name: "reader", who: READER, args: ["read", "/etc/hostname"] },
  { name: "reader", who: READER, args: ["copy", "/etc/ssl", "-"] },
  { name: "reader", who: READER, args: ["reset", "--wait=false"] },
  { name: "reader", who: READER, args: ["reboot", "--wait=false"] },
  { name: "reader", who: READER, args: ["shutdown", "--wait=false", "--force"] },
  { name: "reader", who: READER, args: ["service", "apid", "restart"] },
  { name: "reader", who: READER, args: ["apply-config", "--file", config] },
  { name: "reader", who: READER, args: ["get", "machineconfig", "-o", "yaml"] },
  { name: "reader", who: READER, args: ["get", "osrootsecrets", "-o", "yaml"] },
  { name: "reader", who: READER, args: ["config", "new", "stolen.yaml"] },
  { name: "reader", who: READER, args: ["meta", "write", "0xa", "x"] },
  { name: "operator", who: OPERATOR, args: ["read", "/etc/hostname"] },
  { name: "operator", who: OPERATOR, args: ["reset", "--wait=false"] },
  { name: "operator", who: OPERATOR, args: ["apply-config", "--file", config] },
  { name: "somebody without a role", who: { roles: [] }, args: ["version"] },
];

for (const { name, who, args } of ALLOWED) {
  test(`${name} may run ${args.join(" ")}`, async () => {
    await (await api.clientOf(slug(name, args), who)).ok(args);
  });
}

for (const { name, who, args } of REFUSED) {
  test(`${name} is refused ${args.slice(0, 3).join(" ")}`, async () => {
    const client = await api.clientOf(slug(name, args), who);
    assertRefused(await client.run(args), /PermissionDenied|not authorized/);
  });
}

test("an admin makes a client configuration for a reader, who stays a reader", async () => {
  const admin = await api.clientOf("maker", ADMIN);
  const made = join(api.dir, "made.yaml");
  await admin.ok(["config", "new", made, "--roles", "os:reader", "--crt-ttl", "1h"]);
  const reader = api.clientWith(made);
  await reader.ok(["version"]);
  assertRefused(await reader.run(["read", "/etc/hostname"]), /PermissionDenied/);
});

test("a certificate that has expired is refused", async () => {
  const client = await api.clientOf("expired", { roles: ["os:admin"], hours: 0 });
  assertRefused(await client.run(["version"]), /remote error: tls: expired certificate/);
});

test("a certificate of another authority is refused", async () => {
  const other = await makeCluster(api.program, join(api.dir, "other"));
  await other.talosconfigOf("admin", ADMIN);
  const authority = readFileSync(join(api.cluster.dir, "os.crt")).toString("base64");
  const mixed = await joinTalosconfig(join(api.dir, "mixed.yaml"), authority, join(other.dir, "admin"));
  assertRefused(await api.clientWith(mixed).run(["version"]), /remote error: tls: unknown certificate authority/);
});

test("a client of another cluster does not believe this machine", async () => {
  const other = await makeCluster(api.program, join(api.dir, "third"));
  const client = api.clientWith(await other.talosconfigOf("admin", ADMIN));
  assertRefused(await client.run(["version"]), /certificate signed by unknown authority|tls|certificate/);
});

test("nobody is let in without a certificate once there is a configuration", async () => {
  assertRefused(await api.stranger.run(["version"]), /certificate|tls|Unavailable/);
  assert.ok(api.host.isUp());
});

function slug(name: string, args: readonly string[]): string {
  return `${name} ${args.join(" ")}`.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 60);
}
