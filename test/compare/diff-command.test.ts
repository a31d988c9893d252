// SPDX-License-Identifier: Apache-2.0
// dodeka diff as a program: artifacts with SBOMs beside them, plans, releases, and what cannot be compared.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { saveRelease } from "../../builder/commands/load-release.ts";
import { openStore, putBytes } from "../../builder/host/store.ts";
import type { Store } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { PART_NAMES } from "../../builder/release/manifest.ts";
import type { Part, Release } from "../../builder/release/manifest.ts";
import { layoutBytes, writeLayout } from "../layout/layout-image.ts";
import { sampleDisk, sampleInitramfs } from "./samples.ts";

const dir = mkdtempSync(join(tmpdir(), "diff-"));
after(() => rmSync(dir, { recursive: true }));
const MAIN = fileURLToPath(new URL("../../builder/main.ts", import.meta.url));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function diff(...args: readonly string[]): Promise<Run> {
  const env = { ...process.env, DODEKA_STORE: join(dir, "store") };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "diff", ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function put(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("diff of artifacts lists components, arguments and files, and where the first byte differs", async () => {
  const [a, b] = [join(dir, "a.raw"), join(dir, "b.raw")];
  writeLayout(a, await sampleDisk());
  writeLayout(b, await sampleDisk({ commandLine: "quiet panic=31 console=tty0 console=ttyS0" }));
  assert.deepEqual(await diff(a, a), { code: 0, stdout: "equal\n", stderr: "" });
  const bom = (version: string): object => ({
    components: [
      { name: "x", purl: `pkg:deb/debian/x@${version}`, version },
      {
        type: "file",
        name: `dodeka/${version}.root!etc/hosts`,
        hashes: [{ alg: "SHA-256", content: sha256("hosts") }],
      },
    ],
  });
  put("a.raw.cdx.json", bom("1"));
  put("b.raw.cdx.json", bom("2"));
  const { code, stdout } = await diff(a, b);
  assert.equal(code, 1);
  const where = "partition EFI > FAT file EFI/Linux/a long name.efi > PE section .cmdline > byte 13";
  assert.match(stdout, new RegExp(`^first difference: byte \\d+: ${where}\n`));
  assert.match(
    stdout,
    /\ncomponents \(1\)\n {2}~ pkg:deb\/debian\/x: 1 -> 2\nkernel arguments \(1\)\n {2}~ panic: 30 -> 31\n/,
  );
  const json = JSON.parse((await diff(a, b, "--json")).stdout) as { value: { equal: boolean; changes: unknown[] } };
  assert.equal(json.value.equal, false);
  assert.ok(json.value.changes.length >= 4);
});

test("diff of plans goes by member", async () => {
  const plan = (commandLine: string, size: number): object => ({
    core: { commandLine },
    outputs: [{ file: "x.iso", size }],
  });
  const [a, b] = [put("a.json", plan("a=1", 5)), put("b.json", plan("a=2", 6))];
  assert.equal((await diff(a, a)).code, 0);
  const { code, stdout } = await diff(a, b);
  assert.deepEqual(
    [code, stdout],
    [1, "kernel arguments (1)\n  ~ a: 1 -> 2\nplan (1)\n  ~ outputs[x.iso].size: 5 -> 6\n"],
  );
});

async function makeRelease(store: Store, config: string, late: string): Promise<string> {
  const parts: Record<string, Part> = {};
  for (const name of PART_NAMES) {
    const archive = layoutBytes(sampleInitramfs({ late }));
    const content = name === "kernel-config" ? config : name === "initramfs" ? archive : `part ${name}`;
    parts[name] = { ...(await putBytes(store, content)), licence: "MIT", origin: ["dodeka:test"] };
  }
  const root = { hash: sha256("root"), dataBlocks: 1 };
  const kernel = { flavour: "stock", release: "6.12", nxCompatible: true } as const;
  const common = { format: 1, version: "1", arch: "amd64", epochSeconds: 1 } as const;
  return saveRelease(store, { ...common, kernel, root, parts: parts as Release["parts"] });
}

test("diff of releases tells kernel configuration and files of the parts", async () => {
  const store = await openStore(join(dir, "store"));
  const a = await makeRelease(store, "CONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_C is not set\n", "late");
  await makeRelease(store, "CONFIG_A=m\nCONFIG_B=y\n# CONFIG_D is not set\n", "lane");
  assert.equal((await diff(a, a)).code, 0);
  const { code, stdout, stderr } = await diff(a, "current");
  assert.equal(code, 1, stderr);
  assert.match(stdout, /kernel configuration \(2\)\n {2}~ CONFIG_A: y -> m\n {2}~ CONFIG_B: n -> y\n/);
  assert.match(stdout, /files \(1\)\n {2}~ initramfs: late\n/);
});

const WRONG: readonly (readonly [name: string, args: readonly string[], code: number])[] = [
  ["one of each kind", [put("x.raw", "x"), put("p.json", { core: {}, outputs: [] })], 2],
  ["a file that is not there", [join(dir, "none"), join(dir, "none")], 2],
  ["JSON that is no plan", [put("n.json", [1]), put("m.json", [2])], 2],
  ["JSON that is none", [put("o.json", "{"), put("q.json", "{")], 76],
  ["a release that nobody has", [sha256("x"), sha256("y")], 69],
];

for (const [name, args, code] of WRONG) {
  test(`diff refuses ${name}`, async () => {
    const run = await diff(...args);
    assert.equal(run.code, code, run.stdout + run.stderr);
  });
}
