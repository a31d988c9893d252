// SPDX-License-Identifier: Apache-2.0
// A machine API on this host with people who may use it, for the tests of one file.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { buildHostrun, buildTalosctl } from "../talosctl/build.ts";
import type { ApiHost } from "./api-host.ts";
import { startApiHost } from "./api-host.ts";
import type { Cluster, Person } from "./cluster.ts";
import { makeCluster } from "./cluster.ts";
import type { ClientResult, StockClient } from "./stock-client.ts";
import { stockClient } from "./stock-client.ts";

export const ADMIN: Person = { roles: ["os:admin"] };
export const OPERATOR: Person = { roles: ["os:operator"] };
export const READER: Person = { roles: ["os:reader"] };

export interface ApiTest {
  readonly program: string;
  readonly dir: string;
  readonly cluster: Cluster;
  readonly host: ApiHost;
  /** The stock client with a certificate for a person. */
  readonly clientOf: (name: string, person: Person) => Promise<StockClient>;
  /** The stock client with a configuration file of the test's making. */
  readonly clientWith: (talosconfig: string) => StockClient;
  /** The stock client without a certificate, as maintenance mode wants it. */
  readonly stranger: StockClient;
}

/** Starts a host for this file's tests. `kind` decides whether it has a configuration, `change` makes another one of it. */
export async function openApiTest(
  kind: "configured" | "maintenance",
  change: (config: string) => string = (config) => config,
): Promise<ApiTest> {
  const program = await buildTalosctl();
  const hostProgram = await buildHostrun();
  const dir = mkdtempSync(join(tmpdir(), "os-test-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const cluster = await makeCluster(program, join(dir, "cluster"));
  const host = await startApiHost(hostProgram, kind === "configured" ? change(cluster.config) : undefined);
  after(() => host.stop());
  const common = ["--endpoints", host.address, "--nodes", "127.0.0.1"];
  const clientWith = (talosconfig: string): StockClient =>
    stockClient(program, dir, ["--talosconfig", talosconfig, ...common]);
  return {
    program,
    dir,
    cluster,
    host,
    clientWith,
    clientOf: async (name, person) => clientWith(await cluster.talosconfigOf(name, person)),
    stranger: stockClient(program, dir, ["--insecure", "--nodes", host.address]),
  };
}

/** A call that must fail, with a gRPC status or a text that says why. */
export function assertRefused(result: ClientResult, why: RegExp): void {
  const said = result.stderr + result.stdout;
  assert.notEqual(result.exitCode, 0, `it was allowed: ${said}`);
  assert.match(said, why);
}
