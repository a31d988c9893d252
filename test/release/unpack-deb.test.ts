// SPDX-License-Identifier: Apache-2.0
// Whatever a package holds, nothing outside the directory changes: each test has a neighbour that must stay as it is.
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { unpackDeb, unpackRoot } from "../../builder/release/unpack-deb.ts";
import { temporaryDirectory } from "../host/temp-store.ts";
import type { SampleEntry } from "./deb-samples.ts";
import { sampleDeb } from "./deb-samples.ts";

interface Place {
  readonly dir: string;
  /** Where the package is unpacked. */
  readonly root: string;
  /** Must never change. */
  readonly outside: string;
}

function place(): Place {
  const dir = temporaryDirectory();
  const [root, outside] = [join(dir, "root"), join(dir, "outside")];
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, "passwd"), "untouched");
  return { dir, root, outside };
}

function assertUntouched({ outside }: Place): void {
  assert.deepEqual(readdirSync(outside), ["passwd"]);
  assert.equal(readFileSync(join(outside, "passwd"), "utf8"), "untouched");
}

async function unpack(at: Place, ...packages: readonly (readonly SampleEntry[])[]): Promise<void> {
  const root = unpackRoot(at.root);
  for (const [i, entries] of packages.entries()) await unpackDeb(await sampleDeb(at.dir, entries, `${i}.deb`), root);
}

test("unpackDeb writes files, directories and links, without set-id bits and whatever the umask", async () => {
  const at = place();
  const umask = process.umask(0o077);
  try {
    await unpack(at, [
      { name: "./usr/", type: "directory" },
      { name: "./usr/tool", mode: 0o4755, content: "a program" },
      { name: "./usr/secret", mode: 0o200, content: "x" },
      { name: "./usr/same", type: "link", linkname: "./usr/tool" },
      { name: "./bin", type: "symlink", linkname: "usr" },
      { name: "./made/on/the/way", content: "y" },
    ]);
  } finally {
    process.umask(umask);
  }
  assert.equal(statSync(join(at.root, "usr/tool")).mode & 0o7777, 0o755);
  assert.equal(statSync(join(at.root, "usr/secret")).mode & 0o7777, 0o600);
  assert.equal(statSync(join(at.root, "usr/same")).ino, statSync(join(at.root, "usr/tool")).ino);
  assert.equal(readlinkSync(join(at.root, "bin")), "usr");
  assert.equal(readFileSync(join(at.root, "made/on/the/way"), "utf8"), "y");
});

test("unpackDeb follows links inside the root as a booted system would", async () => {
  const at = place();
  await unpack(
    at,
    [
      { name: "usr/lib/", type: "directory" },
      { name: "lib", type: "symlink", linkname: "usr/lib" },
      { name: "abs", type: "symlink", linkname: "/usr/lib" },
    ],
    [
      { name: "lib/", type: "directory" },
      { name: "lib/a.so", content: "a" },
      { name: "abs/b.so", content: "b" },
    ],
  );
  assert.deepEqual(readdirSync(join(at.root, "usr/lib")).sort(), ["a.so", "b.so"]);
  assert.ok(lstatSync(join(at.root, "lib")).isSymbolicLink());
});

test("unpackDeb lets a later package replace a file, and a link by a file", async () => {
  const at = place();
  await unpack(
    at,
    [
      { name: "f", content: "old" },
      { name: "l", type: "symlink", linkname: "f" },
    ],
    [
      { name: "f", content: "new" },
      { name: "l", content: "file" },
    ],
  );
  assert.deepEqual(
    ["f", "l"].map((name) => readFileSync(join(at.root, name), "utf8")),
    ["new", "file"],
  );
});

/** Each would write to, or link to, `outside` if a path were given to the kernel as it stands. */
function escapes(outside: string): Readonly<Record<string, readonly SampleEntry[]>> {
  const absolute: SampleEntry = { name: "a", type: "symlink", linkname: outside };
  const relative: SampleEntry = { name: "a", type: "symlink", linkname: "../outside" };
  return {
    "a file through an absolute symlink": [absolute, { name: "a/passwd", content: "owned" }],
    "a file through a relative symlink": [relative, { name: "a/passwd", content: "owned" }],
    "a file through two symlinks": [
      relative,
      { name: "b", type: "symlink", linkname: "a" },
      { name: "b/passwd", content: "owned" },
    ],
    "a directory through a symlink": [
      absolute,
      { name: "a/new/", type: "directory" },
      { name: "a/new/x", content: "x" },
    ],
    "a symlink through a symlink": [absolute, { name: "a/l", type: "symlink", linkname: "/etc" }],
    "a file over a symlink to a file": [
      { name: "p", type: "symlink", linkname: join(outside, "passwd") },
      { name: "p", content: "owned" },
    ],
    "a hard link through a symlink": [absolute, { name: "stolen", type: "link", linkname: "a/passwd" }],
    "a hard link into a symlink": [{ name: "f", content: "x" }, absolute, { name: "a/f", type: "link", linkname: "f" }],
  };
}

for (const what of Object.keys(escapes(""))) {
  test(`unpackDeb keeps inside: ${what}`, async () => {
    const at = place();
    await unpack(at, escapes(at.outside)[what] ?? []).catch((error: { code?: string }) => {
      assert.equal(error.code, "ARCHIVE_HOSTILE");
    });
    assertUntouched(at);
    const stolen = join(at.root, "stolen");
    assert.ok(!existsSync(stolen) || readFileSync(stolen, "utf8") !== "untouched");
  });
}

test("unpackDeb does not follow a link that another package planted before it", async () => {
  const at = place();
  await unpack(
    at,
    [{ name: "etc", type: "symlink", linkname: "../../../../../../../../tmp" }],
    [{ name: "etc/dodeka-test", content: "x" }],
  );
  assert.equal(readFileSync(join(at.root, "tmp/dodeka-test"), "utf8"), "x");
  assert.equal(existsSync("/tmp/dodeka-test"), false);
});

const REFUSED: Readonly<Record<string, readonly SampleEntry[]>> = {
  "links that lead in a circle": [
    { name: "a", type: "symlink", linkname: "b" },
    { name: "b", type: "symlink", linkname: "a" },
    { name: "a/x", content: "x" },
  ],
  "a file below a file": [
    { name: "f", content: "x" },
    { name: "f/g", content: "y" },
  ],
  "a file over a directory": [
    { name: "d/", type: "directory" },
    { name: "d", content: "x" },
  ],
  "a hard link to nothing": [{ name: "a", type: "link", linkname: "none" }],
  "a hard link to a directory": [
    { name: "d/", type: "directory" },
    { name: "a", type: "link", linkname: "d" },
  ],
};

for (const [what, entries] of Object.entries(REFUSED)) {
  test(`unpackDeb refuses ${what}`, async () => {
    const at = place();
    await assert.rejects(unpack(at, entries), { name: "FactoryError", code: "ARCHIVE_HOSTILE" });
  });
}

test("unpackDeb does not write through a link that waits in the target from elsewhere", async () => {
  const at = place();
  symlinkSync(at.outside, join(at.root, "var"));
  await unpack(at, [{ name: "var/passwd", content: "owned" }]);
  assertUntouched(at);
});
