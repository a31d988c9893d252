// SPDX-License-Identifier: Apache-2.0
// ukify, objdump and sbverify judge the UKIs that we make of systemd's stub.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findMirrors } from "../../builder/release/apt-config.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";
import { parsePe, peSectionBytes } from "../../builder/layout/pe.ts";
import { assembleUki } from "../../builder/layout/uki.ts";
import { readDebFiles } from "../../builder/release/deb-files.ts";
import { fetchPackages } from "../../builder/release/fetch-packages.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import { layoutBytes, patternBytes } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "uki-"));
after(() => rmSync(dir, { recursive: true }));
const path = join(dir, "sample.efi");

const SBAT = "sbat,1,SBAT Version,sbat,1,https://example.org\ndodeka,1,Dodeka,dodeka,1,https://example.org/dodeka\n";
const CONTENTS = {
  ".osrel": Buffer.from('ID=dodeka\nVERSION_ID="1"\n'),
  ".cmdline": Buffer.from("console=ttyS0 quiet"),
  ".uname": Buffer.from("6.12.0-test"),
  ".linux": patternBytes(3_000_001, 1),
  ".initrd": patternBytes(100_001, 2),
} as const;

let uki: Uint8Array;

before(async () => {
  const sections = Object.entries(CONTENTS).map(([name, content]) => ({ name, content: bytesLayout(content) }));
  const sbat = { name: ".sbat", content: bytesLayout(Buffer.from(SBAT)) };
  uki = layoutBytes(assembleUki({ stub: await readStub(), sections: [...sections, sbat] }).layout);
  writeFileSync(path, uki);
});

async function readStub(): Promise<Uint8Array> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const parts = packagesOf(readLock(), "parts").filter((entry) => entry.name === "systemd-boot-efi");
  await fetchPackages(store, parts, () => findMirrors(settings));
  const [entry] = parts;
  assert.ok(entry);
  const name = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
  const stub = (await readDebFiles(store, entry, (file) => file === name)).get(name);
  assert.ok(stub);
  return stub;
}

test("ukify reads every section with our contents", async () => {
  const run = await judge();
  const { exitCode, stdout, stderr } = await run(["ukify", "--json=short", "inspect", path], [dir]);
  assert.equal(exitCode, 0, stderr);
  const found = JSON.parse(stdout) as Record<string, { size: number; sha256: string; text?: string }>;
  for (const [name, content] of Object.entries(CONTENTS)) {
    assert.deepEqual([found[name]?.size, found[name]?.sha256], [content.length, sha256(content)], name);
  }
  const lines = found[".sbat"]?.text?.trimEnd().split("\n") ?? [];
  assert.deepEqual([lines[0]?.split(",")[0], lines.at(-1)], ["sbat", SBAT.split("\n")[1]]);
  assert.ok(
    lines.some((line) => line.startsWith("systemd-stub,")),
    "the stub's own line stays",
  );
});

test("objdump places every section above the image base, page by page, without overlap", async () => {
  const run = await judge();
  const { exitCode, stdout, stderr } = await run(["objdump", "-h", path], [dir]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const rows = [...stdout.matchAll(/^\s*\d+ (\.\S+)\s+([0-9a-f]{8})\s+([0-9a-f]{16})/gm)];
  assert.deepEqual(rows.map(([, name]) => name).slice(-5), Object.keys(CONTENTS));
  const { imageBase } = parsePe(uki);
  let end = imageBase;
  for (const [, name, size, vma] of rows) {
    const start = BigInt(`0x${vma}`);
    assert.ok(start > imageBase && start >= end && start % 4096n === 0n, name);
    end = start + BigInt(`0x${size}`);
  }
});

test("sbverify reads the image without complaint and finds it unsigned", async () => {
  const run = await judge();
  const { stdout, stderr } = await run(["sbverify", "--list", path], [dir]);
  assert.match(stdout + stderr, /No signature table present/);
  assert.doesNotMatch(stdout + stderr, /warning|gap|overlap/i);
});

test("ukify build gives every section the same place in memory and the same content", async () => {
  const run = await judge();
  const stub = join(dir, "stub");
  writeFileSync(stub, await readStub());
  const files = Object.entries(CONTENTS).map(([name, content]) => {
    writeFileSync(join(dir, name.slice(1)), content);
    return `--section=${name}:@${join(dir, name.slice(1))}`;
  });
  const theirs = join(dir, "theirs.efi");
  const { exitCode, stderr } = await run(["ukify", "build", `--stub=${stub}`, ...files, `--output=${theirs}`], [dir]);
  assert.equal(exitCode, 0, stderr);
  const facts = (file: Uint8Array): object => {
    const sections = parsePe(file).sections.filter((s) => s.name !== ".sbat"); // ukify merges it for a real kernel only
    return sections.map((s) => [s.name, s.virtualAddress, s.virtualSize, sha256(peSectionBytes(file, s))]);
  };
  assert.deepEqual(facts(uki), facts(readFileSync(theirs)));
});
