// SPDX-License-Identifier: Apache-2.0
// A second machine for tests of the network: our own kernel with busybox and dnsmasq of the locked packages, and the
// script network-peer.sh as its only program. Its two adapters are wires to the machine under test.
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Wires } from "../../builder/host/machine.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { blobPath } from "../../builder/host/store.ts";
import type { CpioEntry } from "../../builder/layout/cpio.ts";
import { layoutCpio } from "../../builder/layout/cpio.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import { openBox } from "../foreign/judge.ts";
import { ownRelease } from "../kernel/guest-kernel.ts";
import { saveLog } from "./driven-machine.ts";

const SCRIPT = fileURLToPath(new URL("network-peer.sh", import.meta.url));
const LIFE_MS = 1_200_000;
const WAIT_MS = 120_000;
const POLL_MS = 100;
const LIBRARIES = "usr/lib/x86_64-linux-gnu";
const LOADER = "lib64/ld-linux-x86-64.so.2";
const COMMON = { uid: 0, gid: 0, mtimeSeconds: 0 } as const;

/** An adapter of the machine under test. */
export interface Adapter {
  readonly id: string;
  /** Of QEMU: e1000e, virtio-net-pci. */
  readonly model: string;
  readonly mac: string;
  /** Device number on the PCI bus, which gives the adapter its name. */
  readonly slot: number;
  /** Adapters of one segment hear each other, and the peer's adapter of that number. */
  readonly segment: 0 | 1;
}

export interface NetworkPeer {
  /** Waits until what it said last of something (see the script) is that it reaches it, or has lost it. */
  readonly says: (name: string, state: "reached" | "lost") => Promise<void>;
  /** Everything the console showed. */
  readonly log: () => string;
  readonly cut: () => Promise<void>;
}

const SEGMENTS = [0, 1] as const;

/** The machine's side of the wires: each segment is a hub with the adapters and the way to the peer. */
export function machineWires(dir: string, adapters: readonly Adapter[]): Wires {
  const hubs = SEGMENTS.flatMap((n) => [
    "-netdev",
    datagrams(`way${n}`, `machine${n}`, `peer${n}`),
    "-netdev",
    `hubport,id=out${n},hubid=${n + 1},netdev=way${n}`,
  ]);
  const devices = adapters.flatMap(({ id, model, mac, slot, segment }) => [
    "-netdev",
    `hubport,id=port-${id},hubid=${segment + 1}`,
    "-device",
    `${model},id=${id},netdev=port-${id},mac=${mac},addr=0x${slot.toString(16)}`,
  ]);
  return { dir, argv: [...hubs, ...devices] };
}

/** Datagrams need no connection, so neither machine has to be there first. */
function datagrams(id: string, from: string, to: string): string {
  return `dgram,id=${id},local.type=unix,local.path=/var/tmp/wires/${from},remote.type=unix,remote.path=/var/tmp/wires/${to}`;
}

/** Starts the peer; `wiresDir` is the folder of the machine's wires. */
export function startPeer(name: string, wiresDir: string): NetworkPeer {
  let text = "";
  const stop = new AbortController();
  const over = runPeer(wiresDir, stop.signal, (chunk) => void (text += chunk.replaceAll("\r", "")));
  over.catch((error: unknown) => void (text += String(error)));
  const says = async (what: string, state: "reached" | "lost"): Promise<void> => {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const said = [...text.matchAll(new RegExp(`^peer: ${what} (\\w+)$`, "gm"))].at(-1)?.[1];
      if (said === state) return;
      if (performance.now() > deadline)
        throw new Error(`${name}: ${what} is ${said ?? "never reached"}, expected ${state}\n${text.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const cut = async (): Promise<void> => {
    stop.abort();
    await over.finally(() => saveLog(name, text));
  };
  return { says, log: () => text, cut };
}

async function runPeer(wiresDir: string, stopSignal: AbortSignal, onOutput: (chunk: string) => void): Promise<void> {
  const { store, release } = await ownRelease();
  const dir = mkdtempSync(join(tmpdir(), "peer-"));
  try {
    await copyFile(blobPath(store, release.parts.kernel.digest), join(dir, "kernel"));
    writeFileSync(join(dir, "initrd"), await initramfs());
    const { root } = await openBox("machine");
    const binds = [
      { host: dir, inside: "/build", writable: false },
      { host: wiresDir, inside: "/var/tmp/wires", writable: true },
    ];
    await runInSandbox(root, { argv: peerArgv(), binds }, { timeoutMs: LIFE_MS, stopSignal, onOutput });
  } finally {
    await removeTree(dir);
  }
}

function peerArgv(): readonly string[] {
  const machine = "-nodefaults -no-user-config -no-reboot -machine q35 -accel tcg -cpu max -smp 1 -m 256";
  const wires = SEGMENTS.flatMap((n) => [
    "-netdev",
    datagrams(`way${n}`, `peer${n}`, `machine${n}`),
    "-device",
    `virtio-net-pci,netdev=way${n},mac=52:54:00:00:01:0${n},addr=0x${(n + 16).toString(16)}`,
  ]);
  return [
    "qemu-system-x86_64",
    ...machine.split(" "),
    ..."-display none -serial stdio -kernel /build/kernel -initrd /build/initrd".split(" "),
    "-append",
    "console=ttyS0 panic=1 quiet",
    ...wires,
  ];
}

async function initramfs(): Promise<Buffer> {
  const { root } = await openBox("network-peer");
  const file = (path: string, from: string): CpioEntry => ({
    ...COMMON,
    path,
    mode: 0o755,
    kind: "file",
    content: bytesLayout(readFileSync(from)),
  });
  const shared = readdirSync(join(root, LIBRARIES)).filter((name) => /\.so\.\d+$/.test(name));
  const entries: readonly CpioEntry[] = [
    ...["bin", "dev", "lib64", "usr", "usr/lib", LIBRARIES].map(directory),
    { ...COMMON, path: "dev/console", mode: 0o600, kind: "device", device: "char", major: 5, minor: 1 },
    file("init", SCRIPT),
    file("bin/busybox", join(root, "usr/bin/busybox")),
    file("bin/dnsmasq", join(root, "usr/sbin/dnsmasq")),
    file(LOADER, join(root, LIBRARIES, "ld-linux-x86-64.so.2")),
    ...shared.map((name) => file(`${LIBRARIES}/${name}`, join(root, LIBRARIES, name))),
  ];
  const chunks: Uint8Array[] = [];
  const noBlobs = {
    read: (): never => {
      throw new Error("BUG: the archive has no blobs");
    },
  };
  for await (const chunk of readLayout(layoutCpio(entries), noBlobs)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function directory(path: string): CpioEntry {
  return { ...COMMON, path, mode: 0o755, kind: "directory" };
}
