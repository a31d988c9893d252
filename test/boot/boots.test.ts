// SPDX-License-Identifier: Apache-2.0
// Every image boots on every firmware and attachment that it is made for: each phase, the ready line with the plan's
// root and command line, a network address, the status screen, and a clean power-off on the ACPI button.
import { test } from "node:test";
import type { ConsoleEvent } from "../../builder/host/machine.ts";
import type { MachineSpec } from "../../builder/host/qemu-args.ts";
import type { OutputKind } from "../../builder/profile/model.ts";
import { buildImages } from "../foreign/built-images.ts";
import { bootAndCheck } from "./booted-machine.ts";
import { checkFullBoot, checkPowerOff, checkReady, readyWithAddress } from "./full-boot.ts";

const images = await buildImages(["raw", "iso", "uki"]);
const images4096 = await buildImages(["raw"], { sectorSize: "4096" });

const MATRIX: readonly { readonly name: string; readonly kind: OutputKind; readonly spec: Partial<MachineSpec> }[] = [
  { name: "raw as virtio disk under SeaBIOS", kind: "raw", spec: { firmware: "bios", as: "disk" } },
  { name: "raw as virtio disk under OVMF", kind: "raw", spec: { firmware: "uefi", as: "disk" } },
  { name: "raw as SATA disk under OVMF", kind: "raw", spec: { firmware: "uefi", as: "ahci" } },
  {
    name: "raw as NVMe disk and e1000e under OVMF",
    kind: "raw",
    spec: { firmware: "uefi", as: "nvme", nic: "e1000e" },
  },
  { name: "raw as USB stick under OVMF", kind: "raw", spec: { firmware: "uefi", as: "usb" } },
  { name: "ISO as CD under SeaBIOS", kind: "iso", spec: { firmware: "bios", as: "cdrom" } },
  { name: "ISO as CD under OVMF", kind: "iso", spec: { firmware: "uefi", as: "cdrom" } },
  { name: "ISO as USB stick under SeaBIOS", kind: "iso", spec: { firmware: "bios", as: "usb" } },
  { name: "ISO as USB stick under OVMF", kind: "iso", spec: { firmware: "uefi", as: "usb" } },
  { name: "UKI started by OVMF itself", kind: "uki", spec: { firmware: "uefi" } },
];

for (const { name, kind, spec } of MATRIX) {
  test(`${name} boots to the status screen and powers off`, async () => {
    const options = { image: images.path(kind), spec, until: readyWithAddress(), screenshot: true };
    await bootAndCheck(name, options, (boot) => checkFullBoot(boot, images.core));
  });
}

test("raw with sectors of 4096 bytes boots under OVMF", async () => {
  const options = {
    image: images4096.path("raw"),
    spec: { firmware: "uefi", as: "disk", sectorBytes: 4096 } as const,
    until: readyWithAddress(),
    screenshot: true,
  };
  await bootAndCheck("raw 4096", options, (boot) => checkFullBoot(boot, images4096.core));
});

for (const [name, spec] of [
  ["without a network adapter", { nic: "none" }],
  ["on a network where nobody answers", { network: "silent" }],
] as const) {
  test(`a machine ${name} becomes ready`, async () => {
    const options = {
      image: images.path("raw"),
      spec: { firmware: "bios", ...spec } as const,
      until: (event: ConsoleEvent) => event.kind === "status",
    };
    await bootAndCheck(name, options, (boot) => {
      checkReady(boot, images.core);
      checkPowerOff(boot);
    });
  });
}
