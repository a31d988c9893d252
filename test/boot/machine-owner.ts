// SPDX-License-Identifier: Apache-2.0
// Whoever has a machine: a disk for it, a cluster's secrets, clients at its port, and what he asks and waits for.
import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN, READER } from "../os/api-test.ts";
import { makeCluster } from "../os/cluster.ts";
import type { ClientResult, StockClient } from "../os/stock-client.ts";
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
  /** The administrator's client configuration. */
  readonly talosconfig: string;
  readonly reader: StockClient;
  /** Has no certificate. */
  readonly stranger: StockClient;
  /** The machine configuration of a control plane node. */
  readonly config: string;
  /** Applies `config`, or another one, to a machine in maintenance mode, with the code that its console shows. */
  readonly configure: (machine: DrivenMachine, config?: string) => Promise<void>;
  /** Applies another configuration to a machine that has one, without a reboot. */
  readonly reconfigure: (config: string) => Promise<ClientResult>;
}

/** Makes everything below `dir`. */
export async function makeOwner(dir: string): Promise<Owner> {
  const program = await buildTalosctl();
  const port = await freePort();
  const cluster = await makeCluster(program, join(dir, "cluster"));
  const stranger = stockClient(program, dir, ["--insecure", "--nodes", `127.0.0.1:${port}`]);
  const clientOf = (talosconfig: string): StockClient => {
    const where = ["--endpoints", `127.0.0.1:${port}`, "--nodes", "127.0.0.1"];
    return stockClient(program, dir, ["--talosconfig", talosconfig, ...where]);
  };
  const write = (config: string): void => writeFileSync(join(dir, "machine.yaml"), config);
  write(cluster.config);
  const configure = async (machine: DrivenMachine, config = cluster.config): Promise<void> => {
    const [, code] = await machine.waitFor(/code\W+([0-9A-Z]{4}-[0-9A-Z]{4})/i, READY_MS);
    write(`# dodeka-code: ${code}\n${config}`);
    await answered(stranger);
    await stranger.ok(["apply-config", "--file", "machine.yaml"]);
  };
  const talosconfig = await cluster.talosconfigOf("admin", ADMIN);
  const [admin, reader] = [clientOf(talosconfig), clientOf(await cluster.talosconfigOf("reader", READER))];
  const reconfigure = async (config: string): Promise<ClientResult> => {
    write(config);
    return admin.run(["apply-config", "--file", "machine.yaml", "--mode", "no-reboot"]);
  };
  const { config } = cluster;
  return { disk: makeDisk(dir), port, admin, talosconfig, reader, stranger, config, configure, reconfigure };
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
  const run = await within(machine.end(), timeoutMs, "the machine did not end");
  assert.equal(run.exitCode, 0);
}

/** What is promised, unless it takes too long: then it throws with these words. */
export function within<T>(promised: Promise<T>, timeoutMs: number, words: string): Promise<T> {
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`${words} within ${timeoutMs / 1000} s`)), timeoutMs).unref();
  });
  return Promise.race([promised, timeout]);
}
