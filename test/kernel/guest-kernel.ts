// SPDX-License-Identifier: Apache-2.0
// Boots a kernel directly, without firmware files or a disk, with the guest of test/kernel/guest as its only program.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { xz } from "@napi-rs/lzma";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { TCG } from "../../builder/host/qemu-args.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath, openStore } from "../../builder/host/store.ts";
import type { CpioEntry } from "../../builder/layout/cpio.ts";
import { layoutCpio } from "../../builder/layout/cpio.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import { readDebFiles } from "../../builder/release/deb-files.ts";
import { findPackage, readLock } from "../../builder/release/lock.ts";
import type { Release } from "../../builder/release/manifest.ts";
import { openBox } from "../foreign/judge.ts";

const GUEST = fileURLToPath(new URL("guest", import.meta.url));
const DEADLINE_MS = 240_000;
const SIGNATURE_MAGIC = "~Module signature appended~\n";
const SIGNATURE_INFO_BYTES = 12;

/** The store and its newest release with a kernel from source. There is no way to skip: without one the test fails. */
export async function ownRelease(): Promise<{ store: Store; release: Release }> {
  const store = await openStore(readSettings().storeDir);
  const found = await findReleaseWith(store, "source");
  assert.ok(found !== undefined, "no release with our own kernel: run `dodeka release build --kernel source`");
  return { store, release: found.release };
}

/** Compiles the guest, boots it on the release's kernel and returns what the console showed. */
export async function runGuest(store: Store, release: Release): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "guest-"));
  try {
    await copyFile(blobPath(store, release.parts.kernel.digest), join(dir, "kernel"));
    await writeFile(join(dir, "initrd"), await initramfs(store, await compileGuest(dir)));
    const machine = `-nodefaults -no-user-config -no-reboot -machine q35 -accel ${TCG} -cpu max -smp 2 -m 768`;
    const argv = [
      "qemu-system-x86_64",
      ...machine.split(" "),
      ..."-display none -serial stdio -kernel /build/kernel -initrd /build/initrd".split(" "),
      "-append",
      "console=ttyS0 panic=1 quiet",
    ];
    const binds = [{ host: dir, inside: "/build", writable: false }];
    const { root } = await openBox("machine");
    const result = await runInSandbox(root, { argv, binds }, { timeoutMs: DEADLINE_MS });
    assert.equal(result.timedOut, false, result.stdout.slice(-2000));
    return result.stdout;
  } finally {
    await removeTree(dir);
  }
}

async function compileGuest(dir: string): Promise<Buffer> {
  const { root } = await openBox("compile");
  const go = "/usr/lib/go-1.27/bin/go";
  const env = { CGO_ENABLED: "0", GOCACHE: "/tmp/go", GOFLAGS: "-trimpath -buildvcs=false", GOTOOLCHAIN: "local" };
  const binds = [
    { host: GUEST, inside: "/build", writable: false },
    { host: dir, inside: "/run", writable: true },
  ];
  const result = await runInSandbox(root, { argv: [go, "build", "-o", "/run/guest", "."], env, binds, cwd: "/build" });
  assert.equal(result.exitCode, 0, result.stderr);
  return readFileSync(join(dir, "guest"));
}

async function initramfs(store: Store, guest: Buffer): Promise<Buffer> {
  const common = { uid: 0, gid: 0, mtimeSeconds: 0 };
  const directory = (path: string): CpioEntry => ({ ...common, path, mode: 0o755, kind: "directory" });
  const file = (path: string, bytes: Uint8Array, mode: number): CpioEntry => ({
    ...common,
    path,
    mode,
    kind: "file",
    content: bytesLayout(bytes),
  });
  const foreign = await foreignModule(store);
  const entries: readonly CpioEntry[] = [
    ...["dev", "modules", "proc", "sys", "tmp"].map(directory),
    { ...common, path: "dev/console", mode: 0o600, kind: "device", device: "char", major: 5, minor: 1 },
    file("init", guest, 0o755),
    file("modules/foreign.ko", foreign, 0o644),
    file("modules/unsigned.ko", withoutSignature(foreign), 0o644),
  ];
  const chunks: Uint8Array[] = [];
  const noBlobs = { read: () => assert.fail("the archive has no blobs") };
  for await (const chunk of readLayout(layoutCpio(entries), noBlobs)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A module that Debian built and signed with a key that our kernel does not know. */
async function foreignModule(store: Store): Promise<Buffer> {
  const stock = findPackage(readLock(), "parts", /^linux-image-/);
  const files = await readDebFiles(store, stock, (path) => path.endsWith("/dummy.ko.xz"));
  const [packed] = files.values();
  assert.ok(packed !== undefined, "the stock kernel has no module dummy");
  return xz.decompress(packed);
}

/** Linux scripts/sign-file.c: module, signature, struct module_signature (its length last, big-endian), magic. */
function withoutSignature(module: Buffer): Buffer {
  assert.equal(module.subarray(-SIGNATURE_MAGIC.length).toString("latin1"), SIGNATURE_MAGIC);
  const infoEnd = module.length - SIGNATURE_MAGIC.length;
  return module.subarray(0, infoEnd - SIGNATURE_INFO_BYTES - module.readUInt32BE(infoEnd - 4));
}
