// SPDX-License-Identifier: Apache-2.0
// What must stop, stops: a damaged image never becomes ready, and says why. BIOS where nothing of the firmware helps.
// What stops a damaged UKI here are checksums, which catch accidents; only Secure Boot stops an attacker.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConsoleEvent } from "../../builder/host/machine.ts";
import type { Firmware } from "../../builder/host/qemu-args.ts";
import { VERITY_BLOCK_BYTES } from "../../builder/layout/verity.ts";
import { buildImages } from "../foreign/built-images.ts";
import type { Boot } from "./booted-machine.ts";
import { assertLogged, bootAndCheck } from "./booted-machine.ts";
import { flipBits, readRange, replaceBytes } from "./damage.ts";

const images = await buildImages(["raw"]);
const { core } = images;
const plan = images.planOf("raw");
const espOffset = placed(plan.partitions, "EFI").offset;
const rootPath = `dodeka/${core.root.hash}.root`;
const rootOffset = fileOffset(rootPath);
const ukiOffset = fileOffset(`EFI/Linux/dodeka_${core.version}.efi`);
const otherHash = `${core.root.hash.startsWith("0") ? "1" : "0"}${core.root.hash.slice(1)}`;

interface Damage {
  readonly name: string;
  readonly firmware: Firmware;
  readonly inflict: (image: string) => void;
  /** Where and why the boot stops: phase and reason. */
  readonly failed: { readonly phase: RegExp; readonly reason: RegExp };
}

const DAMAGES: readonly Damage[] = [
  {
    name: "the first block of the root image",
    firmware: "bios",
    inflict: (image) => flipBits(image, rootOffset + 2000), // behind the superblock: only dm-verity can tell
    failed: { phase: /^root$/, reason: /./ },
  },
  {
    name: "the last block of the root image",
    firmware: "uefi",
    inflict: (image) => flipBits(image, rootOffset + core.root.dataBlocks * VERITY_BLOCK_BYTES - 1000),
    failed: { phase: /^root$/, reason: /./ },
  },
  {
    name: "the top block of the hash tree",
    firmware: "bios",
    inflict: (image) => flipBits(image, rootOffset + (core.root.dataBlocks + 1) * VERITY_BLOCK_BYTES + 5),
    failed: { phase: /^(verity|root)$/, reason: /./ },
  },
  {
    name: "the name of the root image in its FAT directory",
    firmware: "bios",
    inflict: renameRoot,
    failed: { phase: /^find-root$/, reason: new RegExp(rootPath) },
  },
  {
    name: "the chain of the root image in the FAT",
    firmware: "bios",
    inflict: (image) => flipBits(image, tableEntryOffset(image), 0x10),
    failed: { phase: /^(verity|root)$/, reason: /./ },
  },
  {
    name: "the root hash on the command line",
    firmware: "bios",
    inflict: changeCommandLine,
    failed: { phase: /^find-root$/, reason: new RegExp(`dodeka/${otherHash}`) },
  },
  {
    name: "the root hash on the command line and the image's name with it",
    firmware: "bios",
    inflict: (image) => {
      changeCommandLine(image);
      renameRoot(image);
    },
    failed: { phase: /^(verity|root)$/, reason: /./ },
  },
];

for (const { name, firmware, inflict, failed } of DAMAGES) {
  test(`a boot stops with its reason when damaged is ${name}`, async () => {
    const image = await images.copy("raw", "damaged.raw");
    inflict(image);
    await bootAndCheck(name, { image, spec: { firmware }, until: isReady }, (boot) => {
      const end = boot.events.at(-1);
      assert.ok(end?.kind === "failed", "no failure was reported");
      assert.match(end.phase, failed.phase);
      assert.match(end.reason, failed.reason);
      assertNotReady(boot);
    });
  });
}

test("a kernel with a flipped bit does not start", async () => {
  const image = await images.copy("raw", "damaged.raw");
  const { offset, size } = placed(plan.uki, ".linux");
  flipBits(image, ukiOffset + offset + Math.floor(size / 2));
  const options = { image, spec: { firmware: "uefi" } as const, until: isReady, stopAt: /[Ff]ailed to decompress/ };
  await bootAndCheck("kernel", options, (boot) => {
    assertLogged(boot, /[Ff]ailed to decompress/);
    assert.ok(!boot.log.includes("Linux version"), "the kernel started");
    assertNotReady(boot);
  });
});

for (const [where, share] of [
  ["beginning", 0.1],
  ["middle", 0.5],
  ["end", 0.98],
] as const) {
  test(`nothing of an initramfs runs that has a flipped bit near its ${where}`, async () => {
    const image = await images.copy("raw", "damaged.raw");
    const { offset, size } = placed(plan.uki, ".initrd");
    flipBits(image, ukiOffset + offset + Math.floor(size * share));
    const options = { image, spec: { firmware: "bios" } as const, until: isReady, stopAt: /Unable to mount root fs/ };
    await bootAndCheck(`initramfs ${where}`, options, (boot) => {
      assertLogged(boot, /Initramfs unpacking failed/);
      assertLogged(boot, /Kernel panic - not syncing: VFS: Unable to mount root fs/);
      assert.deepEqual(boot.events, []);
    });
  });
}

function isReady(event: ConsoleEvent): boolean {
  return event.kind === "ready";
}

function assertNotReady(boot: Boot): void {
  assert.ok(!boot.events.some(isReady), "the machine became ready");
}

function placed<T extends { readonly name: string }>(items: readonly T[], name: string): T {
  const item = items.find((i) => i.name === name);
  assert.ok(item !== undefined, `the plan places no ${name}`);
  return item;
}

function fileOffset(path: string): number {
  return espOffset + placed(plan.esp.files, path).offset;
}

/** GRUB's copy of the command line, which is what BIOS machines get. */
function changeCommandLine(image: string): void {
  const { offset, size } = placed(plan.esp.files, `grub/dodeka_${core.version}.cfg`);
  const range = { offset: espOffset + offset, length: size };
  replaceBytes(image, range, Buffer.from(core.root.hash), Buffer.from(otherHash));
}

/** The first long-name entry holds the characters 1 to 5 of the name. Spec: fatgen103, section "FAT Long Directory Entries". */
function renameRoot(image: string): void {
  const characters = (hash: string): Buffer =>
    Buffer.concat([Buffer.from([1]), Buffer.from(hash.slice(0, 5), "utf16le")]);
  const directories = { offset: espOffset, length: plan.esp.files[0]?.offset ?? 0 };
  replaceBytes(image, directories, characters(core.root.hash), characters(otherHash));
}

/** Where the first FAT says what follows the root image's first cluster. Spec: fatgen103, "FAT Data Structure". */
function tableEntryOffset(image: string): number {
  const boot = readRange(image, espOffset, 512);
  const sectorBytes = boot.readUInt16LE(11);
  const tableOffset = boot.readUInt16LE(14) * sectorBytes;
  const dataOffset = tableOffset + boot.readUInt8(16) * boot.readUInt32LE(36) * sectorBytes;
  const cluster = 2 + (rootOffset - espOffset - dataOffset) / plan.esp.clusterBytes;
  return espOffset + tableOffset + cluster * 4;
}
