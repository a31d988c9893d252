// SPDX-License-Identifier: Apache-2.0
// Test support: an SBOM and OSV entries in the shapes that osv.dev publishes, made up.

/** Debian in every shape of purl, Go, its standard library, and kinds that no ecosystem stands for. */
export const PURLS = {
  grub: "pkg:deb/debian/grub-common@2.12-9?arch=amd64&distro=debian-13&upstream=grub2",
  kernel:
    "pkg:deb/debian/linux-image-6.12.117%2Bdeb13-amd64@6.12.117-1?arch=amd64&distro=debian-13&upstream=linux-signed-amd64%406.12.117%2B1",
  boot: "pkg:deb/debian/systemd-boot-efi@257.8-1~deb13u2?arch=amd64&distro=debian-13&upstream=systemd",
  module: "pkg:golang/golang.org/x/sys@v0.30.0",
  stdlib: "pkg:golang/stdlib@1.27.0",
  own: "pkg:generic/dodeka-userland@0.1.0",
} as const;

export const BOM: Readonly<Record<string, unknown>> = {
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  metadata: { component: { type: "firmware", name: "x.iso" } },
  components: [
    ...[PURLS.grub, PURLS.kernel, PURLS.boot].map((purl) => ({ type: "library", name: "x", purl })),
    {
      type: "application",
      name: "init",
      components: [PURLS.module, PURLS.stdlib, PURLS.own].map((purl) => ({ purl })),
    },
    { type: "file", name: "no purl" },
  ],
};

export const HIGH = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";

export interface SampleEntry {
  readonly ecosystem?: string;
  readonly name?: string;
  readonly events?: readonly object[];
  readonly versions?: readonly string[];
  readonly over?: object;
}

export function osvEntry(id: string, sample: SampleEntry = {}): Record<string, unknown> {
  const { ecosystem = "Go", name = "golang.org/x/sys", events = [{ introduced: "0" }], versions, over = {} } = sample;
  const ranges = [{ type: ecosystem === "Go" ? "SEMVER" : "ECOSYSTEM", events }];
  return {
    schema_version: "1.7.0",
    id,
    modified: "2026-01-01T00:00:00Z",
    summary: `summary of ${id}`,
    affected: [{ package: { ecosystem, name }, ranges, ...(versions === undefined ? {} : { versions }) }],
    ...over,
  };
}

export function vexDocument(statements: readonly object[]): Record<string, unknown> {
  return { "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", author: "x", timestamp: "x", statements };
}
