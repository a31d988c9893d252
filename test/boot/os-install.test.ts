// SPDX-License-Identifier: Apache-2.0
// The life of a machine, driven by the stock client from outside: an ISO and an empty disk, maintenance mode, the code on
// the console, a configuration, installation, boots from the disk, every readout, refusals, reboot, shutdown and reset.
// It ends with the figures by which the OS is to be small.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, test } from "node:test";
import { buildImages } from "../foreign/built-images.ts";
import { assertRefused } from "../os/api-test.ts";
import { answered, eventually } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import { ends, makeOwner, ready } from "./machine-owner.ts";
import { memoryUse, residentMemory } from "./memory-use.ts";
import { measure, printMetrics } from "./os-metrics.ts";

const INSTALL_MS = 480_000;
const END_MS = 240_000;
const UEFI = { firmware: "uefi" } as const;

const images = await buildImages(["iso", "uki"]);
const { disk, port, admin, reader, stranger, configure } = await makeOwner(images.dir);
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

test("a machine is configured, installed and driven by the stock client", async (t) => {
  await t.test("an ISO beside an empty disk boots to maintenance mode", async () => {
    machine = await startMachine({
      name: "os maintenance",
      image: images.path("iso"),
      spareDisk: disk,
      port,
      spec: { ...UEFI, as: "cdrom" },
    });
    await ready(machine);
    assert.match(await answered(stranger), /Tag:\s+v/);
    assert.match(await stranger.ok(["get", "disks"]), /\bvda\b/);
    measure("boot of the ISO to the API, wall clock, TCG and UEFI, s", (performance.now() - machine.startedMs) / 1000);
  });

  await t.test("a configuration without the code is refused", async () => {
    assertRefused(await stranger.run(["apply-config", "--file", "machine.yaml"]), /PermissionDenied/);
    assertRefused(await admin.run(["version"]), /tls|certificate|Unavailable/);
  });

  await t.test("with the code of the console it is applied, installed and booted from the disk", async () => {
    const running = up();
    await configure(running);
    await running.waitFor(/dodeka: phase install /, INSTALL_MS);
    await ends(running, INSTALL_MS);
    machine = await bootDisk("os installed");
    await ready(machine);
    assert.match(await answered(admin), /Tag:\s+v/);
    measure("boot of the disk to the API, wall clock, TCG and UEFI, s", (performance.now() - machine.startedMs) / 1000);
  });

  for (const { args, shows } of READOUTS) {
    await t.test(`talosctl ${args.join(" ")} shows the machine`, async () => {
      await eventually(admin, args, shows);
    });
  }

  await t.test("events are replayed from the beginning", async () => {
    const kinds = /PhaseEvent|SequenceEvent|MachineStatusEvent/;
    const { stdout } = await admin.run(["events", "--tail", "-1"], { until: kinds });
    assert.match(stdout, kinds);
  });

  await t.test("a reader and strangers are refused what is not theirs", async () => {
    for (const args of [
      ["read", "/etc/hostname"],
      ["reset", "--wait=false"],
      ["reboot", "--wait=false"],
    ])
      assertRefused(await reader.run(args), /PermissionDenied|not authorized/);
    assertRefused(await stranger.run(["apply-config", "--file", "machine.yaml"]), /certificate|tls|Unavailable/);
    assertRefused(await admin.run(["read", "/proc/1/root/etc/hostname"]), /PermissionDenied/);
  });

  await t.test("it is as small as it should be", async () => {
    await measureSize();
  });

  await t.test("reboot comes back with its configuration", async () => {
    await admin.ok(["reboot", "--wait=false"]);
    await ends(up(), END_MS);
    machine = await bootDisk("os rebooted");
    await ready(machine);
    assert.match(await answered(admin), /Tag:\s+v/);
  });

  await t.test("shutdown powers off", async () => {
    await admin.ok(["shutdown", "--wait=false", "--force"]);
    await up().waitFor(/reboot: Power down/, END_MS);
    await ends(up(), END_MS);
  });

  await t.test("reset takes the configuration away", async () => {
    machine = await bootDisk("os reset");
    await ready(machine);
    await answered(admin);
    const wipe = ["--system-labels-to-wipe", "STATE", "--system-labels-to-wipe", "EPHEMERAL"];
    await admin.ok(["reset", "--graceful=false", "--reboot", "--wait=false", ...wipe]);
    await ends(machine, END_MS);
    machine = await bootDisk("os after reset");
    await ready(machine);
    await answered(stranger);
    assertRefused(await admin.run(["version"]), /tls|certificate|Unavailable/);
    await machine.cut();
  });
  printMetrics();
});

interface Readout {
  readonly args: readonly string[];
  readonly shows: RegExp;
}

const READOUTS: readonly Readout[] = [
  { args: ["service"], shows: /\bapid\s+Running/ },
  { args: ["service", "containerd"], shows: /STATE\s+Running\s+HEALTH\s+OK/ },
  { args: ["logs", "apid"], shows: /./ },
  // It ends without the CRI plugin (required_plugins), so that to have booted is to serve the kubelet.
  { args: ["logs", "containerd"], shows: /id=io\.containerd\.grpc\.v1\.cri [^]*containerd successfully booted/ },
  { args: ["list", "/var/lib/containerd"], shows: /io\.containerd\.snapshotter\.v1\.overlayfs/ },
  { args: ["list", "/run/containerd"], shows: /containerd\.sock$/m },
  { args: ["dmesg"], shows: /kern:\s+\w+: \[.*Linux version/ },
  { args: ["get", "machinestatus", "-o", "yaml"], shows: /stage: running/ },
  { args: ["get", "links"], shows: /\beth0\b|\ben[a-z0-9]+\b/ },
  { args: ["get", "addresses"], shows: /10\.0\.2\.15/ },
  { args: ["get", "disks"], shows: /\bvda\b/ },
  { args: ["get", "volumestatus"], shows: /STATE|EPHEMERAL/ },
  { args: ["list", "/"], shows: /^(127\.0\.0\.1\s+)?sbin$/m },
  { args: ["read", "/proc/sys/kernel/ostype"], shows: /^Linux$/m },
  { args: ["processes"], shows: /\/sbin\/init|\binit\b/ },
  { args: ["memory"], shows: /^127\.0\.0\.1\s+\d+/m },
  { args: ["mounts"], shows: /\/var$/m },
  { args: ["mounts"], shows: /^\S+\s+overlay\s.*\/opt\/cni\n.*overlay\s.*\/etc\/cni$/m },
  { args: ["netstat", "-l", "-t", "-p"], shows: /:50000\s/ },
];

/** Figures of the running machine and of its images. */
async function measureSize(): Promise<void> {
  await measureMemory();
  const sockets = await admin.ok(["netstat", "-l", "-t", "-u"]);
  measure("listening TCP and UDP sockets", sockets.trim().split("\n").length - 1);
  measure("root image, MiB", (images.core.root.dataBlocks * 4096) / 2 ** 20);
  const bootFiles = images.planOf("uki").carried.files;
  const uki = bootFiles.find((file) => file.name.startsWith("EFI/Linux/"));
  assert.ok(uki !== undefined, "no UKI among the boot files");
  measure("UKI, MiB", uki.size / 2 ** 20);
  measure("stand-alone UKI, with the root image and all boot files, MiB", statSync(images.path("uki")).size / 2 ** 20);
}

/** The whole, what it consists of, and each process. */
async function measureMemory(): Promise<void> {
  const use = memoryUse(await admin.ok(["read", "/proc/meminfo"]), await admin.ok(["read", "/proc/zoneinfo"]));
  measure("memory in use after boot, MB", use.inUse);
  for (const [name, value] of Object.entries(use.parts)) measure(`memory: ${name}, MB`, value);
  const processes = await admin.ok(["processes"]);
  for (const [, pid, path] of processes.matchAll(/^\S+\s+(\d+)\s.*\s(\/(?:sbin|usr\/bin)\/[\w.-]+)/gm)) {
    const { own, files } = residentMemory(await admin.ok(["read", `/proc/${pid}/status`]));
    measure(`memory: ${path} (and pages of files ${files.toFixed(1)}), MB`, own);
  }
}

function up(): DrivenMachine {
  assert.ok(machine !== undefined, "no machine runs");
  return machine;
}

/** Starts the installed disk. A machine that still runs, because its test failed, loses its power: it holds the port. */
async function bootDisk(name: string): Promise<DrivenMachine> {
  await machine?.cut();
  return startMachine({ name, image: disk, port, spec: { ...UEFI, as: "disk", keepsChanges: true } });
}
