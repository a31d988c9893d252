// SPDX-License-Identifier: Apache-2.0
// A machine without any medium, as PXE leaves it: kernel and initramfs are in memory. The stock client configures it, and
// it installs itself onto its empty disk. Amid that its power fails: QEMU is killed, so what the guest had not written is
// gone. Then its firmware passes over the disk that was left unfinished, and boots from the network: iPXE in the adapter's
// ROM, a script and both files over TFTP. It takes that disk, and boots from it under UEFI.
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import type { LoadedKernel } from "../../builder/host/qemu-args.ts";
import { buildImages } from "../foreign/built-images.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import { answered } from "./asking.ts";
import { ends, makeOwner, ready } from "./machine-owner.ts";

const INSTALL_MS = 480_000;
const POLL_MS = 20;
const SECTOR_BYTES = 512;
const UNFINISHED = "DODEKA installing"; // userland/internal/install/unfinished.go
const AMID_ROOT_IMAGE = 64 * 2 ** 20; // the boot files before it have some 20 MB

const images = await buildImages(["kernel", "initramfs", "cmdline"]);
const { disk, port, admin, configure } = await makeOwner(images.dir);
const [kernel, initramfs] = [images.path("kernel"), images.path("initramfs")];
/** Loaders of PXE add where the initramfs was. */
const commandLine = `${readFileSync(images.path("cmdline"), "ascii").trim()} initrd=${basename(initramfs)}`;
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

test("a machine without a medium is installed in spite of a power cut, and boots from its disk", async () => {
  machine = await startWithoutMedium("os without a medium");
  await configure(machine);
  await until(() => isUnfinished() && readDisk(AMID_ROOT_IMAGE).some((byte) => byte !== 0));
  await machine.cut();
  assert.ok(isUnfinished(), "the power was cut too late");
  machine = await startOverNetwork("os after a power cut");
  await configure(machine);
  await ends(machine, INSTALL_MS);
  const spec = { firmware: "uefi", as: "disk", keepsChanges: true } as const;
  machine = await startMachine({ name: "os installed without a medium", image: disk, port, spec });
  await ready(machine);
  assert.match(await answered(admin), /Tag:\s+v/);
  await machine.cut();
});

async function startWithoutMedium(name: string): Promise<DrivenMachine> {
  const image: LoadedKernel = { kernel, initramfs, commandLine };
  const started = await startMachine({ name, image, spareDisk: disk, port, spec: { firmware: "bios" } });
  await ready(started);
  return started;
}

async function startOverNetwork(name: string): Promise<DrivenMachine> {
  const script = `#!ipxe\nkernel ${basename(kernel)} ${commandLine}\ninitrd ${basename(initramfs)}\nboot\n`;
  writeFileSync(join(images.dir, "boot.ipxe"), script);
  const network = `user,id=net,restrict=on,tftp=/var/tmp/wires,bootfile=boot.ipxe,hostfwd=tcp:127.0.0.1:${port}-:50000`;
  const started = await startMachine({
    name,
    image: disk,
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true, nic: "none" },
    wires: { dir: images.dir, argv: ["-netdev", network, "-device", "virtio-net-pci,netdev=net,bootindex=1"] },
  });
  await ready(started);
  return started;
}

async function until(isNow: () => boolean): Promise<void> {
  const deadline = performance.now() + INSTALL_MS;
  while (!isNow()) {
    assert.ok(performance.now() < deadline, "the moment did not come");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Firmware passes over such a disk. */
function isUnfinished(): boolean {
  return readDisk(0).includes(UNFINISHED);
}

function readDisk(offset: number): Buffer {
  const file = openSync(disk, "r");
  try {
    const sector = Buffer.alloc(SECTOR_BYTES);
    readSync(file, sector, 0, SECTOR_BYTES, offset);
    return sector;
  } finally {
    closeSync(file);
  }
}
