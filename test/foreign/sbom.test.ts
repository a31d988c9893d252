// SPDX-License-Identifier: Apache-2.0
// Tools that know nothing of our inventory walk what is really in an image, and the SBOM must say the same: unsquashfs and
// cpio list every file, mtools the ESP, ukify the sections, and Go's own tool the modules of each binary.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { makePlan } from "../../builder/commands/build.ts";
import { blobSource } from "../../builder/commands/load-release.ts";
import { openDescriber } from "../../builder/commands/sbom-evidence.ts";
import { writeImageFile } from "../../builder/host/image-file.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { blobPath, openStore } from "../../builder/host/store.ts";
import { GO_ENV, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import { USERLAND_PROGRAMS } from "../../builder/release/userland-table.ts";
import { toCycloneDx } from "../../sbom/cyclonedx.ts";
import { releaseTexts } from "../../sbom/release-texts.ts";
import type { ComponentModel, ModelFile } from "../../sbom/model.ts";
import { coverageOf } from "../../sbom/model.ts";
import type { CycloneDx } from "../sbom/references.ts";
import { cycloneDxProblems } from "../sbom/references.ts";
import { unpackInitramfs } from "./unpack-initramfs.ts";
import { entriesBelow } from "./entries-below.ts";
import { judge, openBox } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "sbom-"));
after(() => rmSync(dir, { recursive: true, force: true }));

let model: ComponentModel;
let espOffset = 0;
const iso = join(dir, "metal.iso");

before(async () => {
  const store = await openStore(readSettings().storeDir);
  const blobs = blobSource(store);
  const images = await makePlan(store, { profile: "metal", overrides: { outputs: ["iso"] }, release: undefined });
  const [output] = images.outputs;
  assert.ok(output?.plan.kind === "iso");
  espOffset = output.plan.partitions[0]?.offset ?? 0;
  const file = await writeImageFile({ layout: output.layout, blobs, path: iso });
  model = await openDescriber(store, images.release, blobs).describe(images.plan, output, await file.digest);
  const { parts } = images.release.release;
  for (const name of ["root", "initramfs"] as const)
    copyFileSync(blobPath(store, parts[name].digest), join(dir, name === "root" ? "root.img" : "initramfs.zst"));
});

/** `path sha256 mode` of each file, `path -> target` of each symlink, sorted. */
function walk(root: string): readonly string[] {
  const entries = entriesBelow(root);
  const lines = entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (entry.isSymbolicLink()) return [`${name} -> ${readlinkSync(path)}`];
    if (!entry.isFile()) return [];
    return [`${name} ${sha256(readFileSync(path))} ${(lstatSync(path).mode & 0o7777).toString(8)}`];
  });
  return lines.sort();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What the SBOM lists behind the container whose path matches. */
function listed(container: RegExp): readonly string[] {
  const inside = model.files.flatMap((file: ModelFile) => {
    const found = container.exec(file.path);
    if (found === null) return [];
    const name = file.path.slice(found[0].length);
    return file.target === null ? [`${name} ${file.sha256} ${file.mode?.toString(8)}`] : [`${name} -> ${file.target}`];
  });
  return inside.sort();
}

test("the root image holds the files that the SBOM lists, and no other", async () => {
  const run = await judge();
  const { exitCode, stderr } = await run(
    ["unsquashfs", "-q", "-n", "-d", join(dir, "root"), join(dir, "root.img")],
    [dir],
  );
  assert.equal(exitCode, 0, stderr);
  const found = walk(join(dir, "root"));
  assert.ok(
    found.some((line) => line.startsWith("usr/bin/kubelet ")),
    `only ${found.length} files`,
  );
  assert.deepEqual(found, listed(/^esp\/dodeka\/[^/]+\.root!/));
});

test("the initramfs holds the files that the SBOM lists, and no other", async () => {
  const run = await judge();
  const out = join(dir, "initramfs");
  await unpackInitramfs(run, readFileSync(join(dir, "initramfs.zst")), dir, out);
  const found = walk(out);
  assert.ok(
    found.some((line) => line.startsWith("stage1 ")),
    `only ${found.length} files`,
  );
  assert.deepEqual(found, listed(/^esp\/EFI\/Linux\/[^/!]+!\.initrd!base!/));
});

test("every file of the ESP is in the SBOM with its bytes", async () => {
  const run = await judge();
  const image = `${iso}@@${espOffset}`;
  const out = join(dir, "esp");
  mkdirSync(out);
  const copied = await run(["mcopy", "-s", "-n", "-i", image, "::/", out], [dir]);
  assert.equal(copied.exitCode, 0, copied.stderr);
  const withoutMode = (line: string): string => line.replace(/ [0-7]+$/, "");
  const wanted = model.files.filter((f) => /^esp\/[^!]+$/.test(f.path)).map((f) => `${f.path.slice(4)} ${f.sha256}`);
  assert.deepEqual(walk(out).map(withoutMode), wanted.sort());
});

test("ukify reads the sections that the SBOM lists", async () => {
  const run = await judge();
  const uki = walkFor(join(dir, "esp"), /\.efi$/, "Linux");
  const { exitCode, stdout, stderr } = await run(["ukify", "inspect", uki, "--json=short"], [dir]);
  assert.equal(exitCode, 0, stderr);
  const sections = JSON.parse(stdout) as Readonly<Record<string, { readonly sha256: string }>>;
  for (const name of [".linux", ".osrel", ".cmdline", ".uname"]) {
    const file = model.files.find((f) => f.path.startsWith("esp/EFI/Linux/") && f.path.endsWith(`!${name}`));
    assert.ok(file !== undefined, `the SBOM does not list ${name}`);
    assert.equal(sections[name]?.sha256, file.sha256, name);
  }
});

function walkFor(root: string, name: RegExp, folder: string): string {
  const entries = entriesBelow(root);
  const found = entries.find((e) => e.isFile() && name.test(e.name) && e.parentPath.endsWith(folder));
  assert.ok(found !== undefined, `no ${String(name)} below ${folder}`);
  return join(found.parentPath, found.name);
}

test("go names the modules of each binary as the SBOM does", async () => {
  const box = await openBox("compile");
  const binaries = model.files.filter((f) => f.owner.startsWith("binary:"));
  assert.equal(binaries.length, USERLAND_PROGRAMS.length);
  for (const { path, owner } of binaries) {
    const inside = path.includes("!.initrd!") ? "initramfs" : "root";
    const file = join(dir, inside, path.slice(path.lastIndexOf("!") + 1));
    const binds = [{ host: dir, inside: dir, writable: false }];
    const command = { argv: [GO_PROGRAM, "version", "-m", file], env: GO_ENV, binds };
    const { exitCode, stdout, stderr } = await runInSandbox(box.root, command, { timeoutMs: 60_000 });
    assert.equal(exitCode, 0, stderr);
    const rows = stdout.split("\n").map((line) => line.split("\t").slice(1));
    const wanted = linkedModules(rows);
    const ids = model.components.find((c) => c.id === owner)?.dependsOn ?? [];
    const modules = model.components.filter((c) => ids.includes(c.id) && c.facts["go:sum"] !== undefined);
    assert.deepEqual(modules.map((m) => `${m.name} ${m.version} ${m.facts["go:sum"]}`).sort(), wanted.sort(), owner);
    const [, goVersion] = /: go([0-9.]+)/.exec(stdout) ?? [];
    assert.ok(
      model.components.some((c) => c.name === "stdlib" && c.version === goVersion),
      goVersion,
    );
  }
});

/** What `go version -m` lists: replacements instead of what they replace, without our own modules, which have no sum. */
function linkedModules(rows: readonly (readonly string[])[]): string[] {
  const kept = rows.filter(([kind = ""], i) => ["mod", "dep", "=>"].includes(kind) && rows[i + 1]?.[0] !== "=>");
  return kept.flatMap(([, name, version, sum = ""]) => (sum === "" ? [] : [`${name} ${version} ${sum}`]));
}

test("programs of upstream have their own version and licence, and runc the libraries that it is linked with", () => {
  const byId = new Map(model.components.map((c) => [c.id, c]));
  for (const name of ["containerd", "containerd-shim-runc-v2", "kubelet", "runc"]) {
    const component = byId.get(`binary:${name}`);
    assert.match(component?.version ?? "", /^v\d+\.\d+\.\d+$/, name);
    assert.equal(component?.licence, "Apache-2.0", name);
  }
  const linked = new Set((byId.get("binary:runc")?.dependsOn ?? []).map((id) => byId.get(id)?.name));
  for (const name of ["libc6-dev", "libgcc-14-dev", "libseccomp-dev"]) assert.ok(linked.has(name), name);
});

const EFI_APPLICATION = 10; // UEFI 2.10, 2.1.1: EFI_IMAGE_SUBSYSTEM_EFI_APPLICATION

/** PE specification, "Optional Header Windows-Specific Fields": 24 bytes of signature and file header, then at 68. */
function peSubsystem(file: Buffer): number {
  return file.readUInt16LE(file.readUInt32LE(0x3c) + 24 + 68);
}

test("of systemd there are EFI programs only, which is why its defects of Linux programs do not count (sbom/vex)", () => {
  const owned = model.files.filter((f) => f.owner.startsWith("pkg:deb/debian/systemd-boot-efi@")).map((f) => f.path);
  const [stub, ...loaders] = owned.toSorted((a, b) => Number(b.endsWith("!stub")) - Number(a.endsWith("!stub")));
  assert.deepEqual(loaders.sort(), ["esp/EFI/BOOT/BOOTX64.EFI", "esp/EFI/systemd/systemd-bootx64.efi"]);
  const files = [...loaders.map((path) => path.replace("esp/", "")), (stub ?? "").slice(4).replace("!stub", "")];
  for (const name of files) assert.equal(peSubsystem(readFileSync(join(dir, "esp", name))), EFI_APPLICATION, name);
  const linux = [...walk(join(dir, "root")), ...walk(join(dir, "initramfs"))];
  assert.ok(linux.length > 30, `only ${linux.length} files`);
  assert.deepEqual(
    linux.filter((line) => /systemd|journal|tmpfiles/i.test(line)),
    [],
  );
});

test("the SBOM covers all of the image", () => {
  assert.equal(coverageOf(model).percent, 100);
  assert.deepEqual(model.waived, []);
  const document = toCycloneDx(model, releaseTexts(model)).toString();
  assert.deepEqual(cycloneDxProblems(JSON.parse(document) as CycloneDx), []);
});
