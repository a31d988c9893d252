// SPDX-License-Identifier: Apache-2.0
// Predicts PCR 11 as systemd-stub extends it when it starts a UKI: for each section, in a fixed order, its name with a
// NUL, then its content. Spec: systemd-stub(7), "TPM PCR Notes"; systemd src/fundamental/uki.c, "unified_sections".
// Left out: sections that are measured but that this factory does not write (.profile, .dtbauto, .hwids, .efifw).
import { createHash, hash } from "node:crypto";
import type { ReadableImage } from "../layout/read-at.ts";
import { imageChunks } from "./sub-image.ts";

/** In the order of measurement. */
export const MEASURED_SECTIONS = [
  ".linux",
  ".osrel",
  ".cmdline",
  ".initrd",
  ".ucode",
  ".splash",
  ".dtb",
  ".uname",
  ".sbat",
  ".pcrpkey",
] as const;

/** The boot phases that systemd-pcrphase measures after the stub, one after the other, separated by colons. */
export type BootPhases = readonly string[];

/** SHA-256 bank of PCR 11, in hexadecimal, before any phase or after `phases`. `sections` by name, without padding. */
export async function predictPcr11(
  sections: ReadonlyMap<string, ReadableImage>,
  phases: BootPhases = [],
): Promise<string> {
  let value: Uint8Array = new Uint8Array(32);
  const extend = (digest: Uint8Array): void => {
    value = hash("sha256", Buffer.concat([value, digest]), "buffer");
  };
  for (const name of MEASURED_SECTIONS) {
    const content = sections.get(name);
    if (content === undefined) continue;
    extend(hash("sha256", Buffer.from(`${name}\0`, "latin1"), "buffer"));
    const hasher = createHash("sha256");
    for await (const chunk of imageChunks(content)) hasher.update(chunk);
    extend(hasher.digest());
  }
  for (const phase of phases) extend(hash("sha256", Buffer.from(phase, "latin1"), "buffer"));
  return Buffer.from(value).toString("hex");
}
