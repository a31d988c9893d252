// SPDX-License-Identifier: Apache-2.0
// Plans of the fake release, from profiles as a user would write them.
import type { PlannedImages } from "../../builder/artifacts/planned.ts";
import { planImages } from "../../builder/artifacts/outputs.ts";
import { planCore } from "../../builder/plan/core.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { parseProfile } from "../../builder/profile/parse.ts";
import type { FakeRelease } from "../artifacts/fake-release.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";

export const METAL = "format: 1\nname: metal\nplatform: metal\narch: amd64\noutputs: [raw, iso, uki]\n";

/** Every field of the profile language, each away from its default. */
export const EVERY_FIELD = `format: 1
name: edge
platform: metal
arch: amd64
outputs: [root, cmdline, initramfs, kernel, uki, iso, raw]
kernelArguments:
  add: [quiet, net.ifnames=0]
  remove: [console=tty0]
console: [tty0, "ttyS1,115200n8"]
disk:
  espSize: 48MiB
  sectorSize: 512
machineConfig:
  inline: "version: v1alpha1"
`;

/** What `build` does, without a store. */
export function planOf(profileText: string, release: FakeRelease = fakeRelease()): PlannedImages {
  const profile = parseProfile(profileText, "profile.yaml");
  const { machineConfig } = profile;
  const text = machineConfig.kind === "inline" ? machineConfig.text : undefined;
  const config = text === undefined ? null : { digest: sha256(text), size: text.length };
  return planImages(planCore(profile, release.release, config), profile.outputs, release.small);
}
