// SPDX-License-Identifier: Apache-2.0
// A machine that runs from a CD, with a configuration that names a disk which it has not, installs itself onto the one that it
// is asked for, and keeps the configuration. The stock client has no command for that: a program of the tests makes the call.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { execa } from "execa";
import { stringify } from "yaml";
import { buildImages } from "../foreign/built-images.ts";
import { mainDocument } from "../os/cluster.ts";
import { buildInstallCall } from "../talosctl/build.ts";
import { answered, eventually } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import { ends, makeOwner, ready } from "./machine-owner.ts";

const INSTALL_MS = 240_000;
const END_MS = 240_000;

const images = await buildImages(["iso"]);
const { disk, port, admin, talosconfig, config, configure } = await makeOwner(images.dir);
const program = await buildInstallCall();
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

/** Asks for an installation; returns the exit code that the machine gave, and what it said. */
async function install(...args: readonly string[]): Promise<{ exitCode: number | undefined; all: string }> {
  const argv = ["-talosconfig", talosconfig, "-endpoint", `127.0.0.1:${port}`, ...args];
  const { exitCode, all } = await execa(program, argv, { reject: false, all: true, timeout: INSTALL_MS });
  return { exitCode, all };
}

test("a machine installs itself when it is asked to", async () => {
  machine = await startMachine({
    name: "install call",
    image: images.path("iso"),
    spareDisk: disk,
    port,
    spec: { firmware: "bios", as: "cdrom" },
  });
  const main = mainDocument(config);
  const elsewhere = { ...main.machine, install: { disk: "/dev/vdz" } };
  await configure(machine, stringify({ ...main, machine: elsewhere }));
  await machine.waitFor(/dodeka: failed phase=install reason=.*\/dev\/vdz/, INSTALL_MS);
  await answered(admin);
  await eventually(admin, ["get", "machinestatus", "-o", "yaml"], /stage: running/);

  const brought = await install("-disk", "/dev/vda", "-image", "registry.example/dodeka:1");
  assert.equal(brought.exitCode, 2);
  assert.match(brought.all, /source\.image_name: .* leave it empty/);
  const missing = await install("-disk", "/dev/nowhere");
  assert.equal(missing.exitCode, 1);
  assert.match(missing.all, /^failed: open \/dev\/nowhere/m);

  const { exitCode, all } = await install("-disk", "/dev/vda");
  assert.equal(exitCode, 0, all);
  assert.match(all, /^reading back\nwriting the partition table\ninstalled$/m);
  assert.match((await install("-disk", "/dev/vda")).all, /failed: .*installed on \/dev\/vda/);

  await admin.ok(["reboot", "--wait=false"]);
  await ends(machine, END_MS);
  machine = await startMachine({
    name: "install call installed",
    image: disk,
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
  });
  await ready(machine);
  await answered(admin);
  assert.match(await admin.ok(["get", "systemdisk"]), /\bvda\b/);
});
