// SPDX-License-Identifier: Apache-2.0
// Whoever has a machine: a disk for it, a cluster's secrets, clients at its port, and what he waits for.
import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN, READER } from "../os/api-test.ts";
import type { Person } from "../os/cluster.ts";
import { makeCluster } from "../os/cluster.ts";
import type { StockClient } from "../os/stock-client.ts";
import { stockClient } from "../os/stock-client.ts";
import { buildTalosctl } from "../talosctl/build.ts";
import { answered } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { freePort } from "./driven-machine.ts";

const DISK_BYTES = 4 * 2 ** 30;
/** Far beyond what a free host needs: what is measured is printed, and only what never comes is a failure. */
const READY_MS = 480_000;

export interface Owner {
  /** An empty disk, alone in its folder. */
  readonly disk: string;
  readonly port: number;
  readonly admin: StockClient;
  readonly reader: StockClient;
  /** Has no certificate. */
  readonly stranger: StockClient;
  /** Applies the configuration to a machine in maintenance mode, with the code that its console shows. */
  readonly configure: (machine: DrivenMachine) => Promise<void>;
}

/** Makes everything below `dir`. */
export async function makeOwner(dir: string): Promise<Owner> {
  const program = await buildTalosctl();
  const port = await freePort();
  const cluster = await makeCluster(program, join(dir, "cluster"));
  const stranger = stockClient(program, dir, ["--insecure", "--nodes", `127.0.0.1:${port}`]);
  const clientOf = async (name: string, person: Person): Promise<StockClient> => {
    const talosconfig = await cluster.talosconfigOf(name, person);
    const where = ["--endpoints", `127.0.0.1:${port}`, "--nodes", "127.0.0.1"];
    return stockClient(program, dir, ["--talosconfig", talosconfig, ...where]);
  };
  writeFileSync(join(dir, "machine.yaml"), cluster.config);
  const configure = async (machine: DrivenMachine): Promise<void> => {
    const [, code] = await machine.waitFor(/code\W+([0-9A-Z]{4}-[0-9A-Z]{4})/i, READY_MS);
    writeFileSync(join(dir, "machine.yaml"), `# dodeka-code: ${code}\n${cluster.config}`);
    await answered(stranger);
    await stranger.ok(["apply-config", "--file", "machine.yaml"]);
  };
  const [admin, reader] = [await clientOf("admin", ADMIN), await clientOf("reader", READER)];
  return { disk: makeDisk(dir), port, admin, reader, stranger, configure };
}

function makeDisk(dir: string): string {
  mkdirSync(join(dir, "disk"));
  const path = join(dir, "disk", "disk.raw");
  writeFileSync(path, "");
  truncateSync(path, DISK_BYTES);
  return path;
}

export async function ready(machine: DrivenMachine): Promise<void> {
  await machine.waitFor(/^dodeka: ready /m, READY_MS);
}

/** Waits until the machine has ended by itself. */
export async function ends(machine: DrivenMachine, timeoutMs: number): Promise<void> {
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`the machine did not end within ${timeoutMs / 1000} s`)), timeoutMs).unref();
  });
  const run = await Promise.race([machine.end(), timeout]);
  assert.equal(run.exitCode, 0);
}
