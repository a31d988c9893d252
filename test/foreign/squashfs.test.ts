// SPDX-License-Identifier: Apache-2.0
// mksquashfs writes trees, unsquashfs lists and unpacks them; our reader must see the same.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileImage } from "../../builder/compare/squashfs-content.ts";
import { readSquashfs } from "../../builder/compare/squashfs-read.ts";
import { bytesImage, imageChunks } from "../../builder/compare/sub-image.ts";
import { patternBytes } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "squashfs-"));
after(() => rmSync(dir, { recursive: true }));
const [tree, image, out] = [join(dir, "tree"), join(dir, "image"), join(dir, "out")];

function put(path: string, content: Uint8Array | string, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
  chmodSync(join(tree, path), mode);
}

/** Sizes around blocks and fragments, stored and packed and sparse data, many names, deep folders. */
function plant(): void {
  put("empty", "");
  put("sbin/init", patternBytes(1_000_000, 1), 0o755);
  put("packed", "text ".repeat(100_000), 0o4755);
  put("sparse", new Uint8Array(700_000));
  put("mixed", Buffer.concat([new Uint8Array(262_144), patternBytes(131_072, 2), Buffer.from("tail")]));
  put("block", patternBytes(131_072, 3));
  put("Wörter/日本語 🚀", "x");
  put("a/b/c/d/e/f/g/h/i/j/deep", "deep", 0o600);
  for (let i = 0; i < 700; i++) put(`many/file number ${i} of a long list of names`, `content ${i}`.repeat(i));
  symlinkSync("init", join(tree, "sbin/reboot"));
  symlinkSync("x".repeat(300), join(tree, "long-link"));
}

test("readSquashfs sees what unsquashfs lists and unpacks", async () => {
  plant();
  const run = await judge();
  const fixed = ["-comp", "zstd", "-no-xattrs", "-noappend", "-quiet", "-no-progress", "-all-time", "0"];
  const made = await run(
    ["mksquashfs", tree, image, ...fixed, "-p", "dev/console c 600 0 0 5 1", "-p", "dev d 755 7 8"],
    [dir],
  );
  assert.equal(made.exitCode, 0, made.stderr);
  const list = await run(["env", "TZ=UTC", "LC_ALL=C.UTF-8", "unsquashfs", "-llnumeric", "-d", "", image], [dir]);
  assert.equal(list.exitCode, 0, list.stderr);
  const found = await readSquashfs(bytesImage("image", readFileSync(image)));
  const letters = { file: "-", directory: "d", symlink: "l", device: "c", other: "?" } as const;
  const lines = found.entries.map(({ path, inode, uid, gid, target }) => {
    const size =
      inode.kind === "file" ? String(inode.size) : inode.kind === "symlink" ? String(inode.target.length) : "";
    return `${letters[inode.kind]}${rwx(inode.mode)} ${uid}/${gid} ${size} ${path}${target === undefined ? "" : ` -> ${target}`}`;
  });
  const judged = list.stdout.split("\n").flatMap((line) => {
    const match = /^(\S+) (\S+) +([\d, ]+) \d{4}-\d\d-\d\d \d\d:\d\d ?\/?(.*)$/.exec(line);
    if (match === null) return [];
    const [, mode = "", owner = "", size = "", rest = ""] = match;
    return [`${mode} ${owner} ${/^[dc]/.test(mode) ? "" : size.trim()} ${rest}`];
  });
  assert.ok(judged.length > 700, list.stdout.slice(0, 500));
  assert.deepEqual(lines.sort(), judged.sort());

  const unpack = await run(
    [
      "unsquashfs",
      "-q",
      "-n",
      "-no-xattrs",
      "-d",
      out,
      image,
      "a",
      "many",
      "sbin",
      "packed",
      "sparse",
      "mixed",
      "block",
      "empty",
      "Wörter",
    ],
    [dir],
  );
  assert.equal(unpack.exitCode, 0, unpack.stderr);
  let compared = 0;
  for (const { path, inode } of found.entries) {
    if (inode.kind !== "file") continue;
    const hash = createHash("sha256");
    for await (const chunk of imageChunks(fileImage(found, path, inode))) hash.update(chunk);
    assert.equal(
      hash.digest("hex"),
      createHash("sha256")
        .update(readFileSync(join(out, path)))
        .digest("hex"),
      path,
    );
    compared++;
  }
  assert.equal(compared, 708);
});

function rwx(mode: number): string {
  const text = [6, 3, 0].map((shift) => ["r", "w", "x"].map((c, i) => ((mode >> shift) & (4 >> i) ? c : "-")).join(""));
  const joined = text.join("");
  return (mode & 0o4000) === 0 ? joined : `${joined.slice(0, 2)}s${joined.slice(3)}`;
}
