// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readSettings } from "../../builder/host/settings.ts";
import { findMirrors } from "../../builder/release/apt-config.ts";
import { temporaryDirectory } from "../host/temp-store.ts";

const DEB822 = `# a comment
Types: deb deb-src
URIs: http://one.example/debian/ http://two.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xyz

Types: deb
URIs: http://one.example/debian-security
Suites: bookworm-security
Components: main
`;
const WANT = { debian: "http://one.example/debian", "debian-security": "http://one.example/debian-security" };

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly want: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  { name: "deb822 sources", files: { "sources.list.d/debian.sources": DEB822 }, want: WANT },
  {
    name: "one-line sources with options and comments",
    files: {
      "sources.list": [
        "# deb http://zero.example/debian trixie main",
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.example/debian trixie main # the mirror",
        "deb-src http://src.example/debian trixie main",
        "deb\thttp://one.example/debian-security  trixie-security main",
      ].join("\n"),
    },
    want: WANT,
  },
  {
    name: "nothing that is disabled",
    files: {
      "sources.list.d/a.sources":
        `Enabled: no\n${DEB822.replaceAll("one.example", "off.example")}`.split("\n\n")[0] ?? "",
      "sources.list.d/b.sources": DEB822,
    },
    want: WANT,
  },
  {
    name: "nothing of other vendors that use Debian's suite names",
    files: {
      "sources.list.d/a.list":
        "deb http://vendor.example/linux/debian bookworm stable\ndeb http://dl.example/apt stable main\n",
      "sources.list.d/ubuntu.list": "deb http://u.example/ubuntu noble-security main\n",
      "sources.list.d/z.sources": DEB822,
    },
    want: WANT,
  },
  {
    name: "nothing from files that apt does not read, nor from media",
    files: {
      "sources.list": "deb cdrom:[Debian]/ trixie main\ndeb file:/srv/debian trixie main\n",
      "sources.list.d/debian.sources.save": "deb http://old.example/debian trixie main",
      "sources.list.d/debian.sources": DEB822,
    },
    want: WANT,
  },
  {
    name: "settings before everything else",
    files: { "sources.list.d/debian.sources": DEB822 },
    env: { DODEKA_DEBIAN_MIRROR: "http://mine.example/d//", DODEKA_DEBIAN_SECURITY_MIRROR: "http://mine.example/s" },
    want: { debian: "http://mine.example/d", "debian-security": "http://mine.example/s" },
  },
  {
    name: "old names of the security suite",
    files: {
      "sources.list":
        "deb http://one.example/debian stable main\ndeb http://one.example/debian-security stable/updates main",
    },
    want: WANT,
  },
];

function aptDir(files: Readonly<Record<string, string>>): string {
  const dir = temporaryDirectory();
  mkdirSync(join(dir, "sources.list.d"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

for (const { name, files, env = {}, want } of CASES) {
  test(`findMirrors takes ${name}`, async () => {
    assert.deepEqual(await findMirrors(readSettings(env), aptDir(files)), want);
  });
}

test("findMirrors names the setting when apt knows no Debian archive", async () => {
  const unfit = (variable: RegExp): object => ({ code: "HOST_UNFIT", message: variable });
  await assert.rejects(findMirrors(readSettings({}), "/nonexistent"), unfit(/DODEKA_DEBIAN_MIRROR/));
  const only = aptDir({ "sources.list": "deb http://one.example/debian trixie main" });
  await assert.rejects(findMirrors(readSettings({}), only), unfit(/DODEKA_DEBIAN_SECURITY_MIRROR/));
});
