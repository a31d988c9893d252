// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { cpe, debianPurl, genericPurl, golangPurl, npmPurl, upstreamVersion } from "../../sbom/package-url.ts";

const debian = { name: "systemd-boot-efi", version: "257.13-1~deb13u1", arch: "amd64" };

const purls: readonly (readonly [name: string, found: string, wanted: string])[] = [
  [
    "a package of another source",
    debianPurl({ ...debian, source: "systemd", sourceVersion: debian.version }),
    "pkg:deb/debian/systemd-boot-efi@257.13-1~deb13u1?arch=amd64&distro=debian-13&upstream=systemd",
  ],
  [
    "a source with a version of its own",
    debianPurl({ ...debian, name: "linux", version: "6-1", source: "linux-signed", sourceVersion: "6+1" }),
    "pkg:deb/debian/linux@6-1?arch=amd64&distro=debian-13&upstream=linux-signed%406%2B1",
  ],
  [
    "a package of its own source",
    debianPurl({ ...debian, name: "bash", version: "5", source: "bash", sourceVersion: "5" }),
    "pkg:deb/debian/bash@5?arch=amd64&distro=debian-13",
  ],
  ["a Go module", golangPurl("golang.org/x/sys", "v0.1.0"), "pkg:golang/golang.org/x/sys@v0.1.0"],
  ["Go's library", golangPurl("stdlib", "1.27.4"), "pkg:golang/stdlib@1.27.4"],
  ["a scoped npm package", npmPurl("@scope/name", "1.0.0"), "pkg:npm/%40scope/name@1.0.0"],
  ["anything else", genericPurl("linux", "6.12.1", { arch: "amd64" }), "pkg:generic/linux@6.12.1?arch=amd64"],
];

for (const [name, found, wanted] of purls) test(`purl of ${name}`, () => assert.equal(found, wanted));

test("a CPE quotes what is special in it", () => {
  assert.equal(cpe("a", "gnu", "grub2", "2.12"), "cpe:2.3:a:gnu:grub2:2.12:*:*:*:*:*:*:*");
  assert.equal(
    cpe("o", "linux", "linux_kernel", "6:1*"),
    String.raw`cpe:2.3:o:linux:linux_kernel:6\:1\*:*:*:*:*:*:*:*`,
  );
});

for (const [debianVersion, upstream] of [
  ["257.13-1~deb13u1", "257.13"],
  ["2:1.02.197-1", "1.02.197"],
  ["20250419+deb13u1", "20250419"],
  ["1.2+dfsg-3", "1.2"],
] as const)
  test(`upstream version of ${debianVersion}`, () => assert.equal(upstreamVersion(debianVersion), upstream));
