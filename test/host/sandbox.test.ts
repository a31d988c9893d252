// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { SandboxCommand, SandboxOptions, SandboxResult } from "../../builder/host/sandbox.ts";
import { runInSandbox, sandboxArgv } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { blobPath, openStore, putFile } from "../../builder/host/store.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import type { Toolbox } from "../../builder/release/toolbox.ts";
import { openToolbox } from "../../builder/release/toolbox.ts";
import { openBox } from "../foreign/judge.ts";
import { temporaryDirectory } from "./temp-store.ts";

const { root } = await openBox("judges");
const USER_PROGRAM = fileURLToPath(new URL("sandbox-user.ts", import.meta.url));

function shell(
  script: string,
  over: Partial<SandboxCommand> = {},
  options: SandboxOptions = {},
): Promise<SandboxResult> {
  return runInSandbox(root, { argv: ["bash", "-c", script], binds: [], ...over }, options);
}

test("a command reports its exit code and both streams, whatever it is", async () => {
  const result = await shell("echo out; echo err >&2; exit 7");
  assert.deepEqual(result, { exitCode: 7, stdout: "out", stderr: "err", timedOut: false });
});

test("a command sees none of the host's files but what is bound", async () => {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, "bound"), "seen");
  const hidden = temporaryDirectory();
  const script = `ls ${hidden} ${process.cwd()} 2>/dev/null; cat /build/bound /run/bound; printf ' %s' /*`;
  const { stdout } = await shell(script, {
    binds: [
      { host: dir, inside: "/build", writable: false },
      { host: dir, inside: "/run", writable: false },
    ],
  });
  const [seen, ...names] = stdout.split(" ");
  assert.equal(seen, "seenseen");
  assert.deepEqual(
    names.filter((name) => !readdirSync(root).includes(name.slice(1))),
    [],
  );
});

test("a command may write where it is allowed to and nowhere else", async () => {
  const dir = temporaryDirectory();
  const binds = [
    { host: dir, inside: "/build", writable: true },
    { host: dir, inside: "/run", writable: false },
  ];
  const { stdout } = await shell(
    "for d in /build /run /usr / /etc /tmp /root; do touch $d/mark 2>/dev/null && echo $d; done",
    { binds },
  );
  assert.deepEqual(stdout.split("\n"), ["/build", "/tmp", "/root"]);
  assert.ok(
    existsSync(join(dir, "mark")) && !existsSync(join(root, "tmp/mark")) && !existsSync(join(root, "root/mark")),
  );
});

test("a command has no network, no foreign processes, no input, and its own host name", async () => {
  const script = "cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '; echo /proc/[0-9]* | wc -w; cat; uname -n";
  const lines = (await shell(script)).stdout.split("\n");
  assert.equal(lines[0], "lo");
  assert.ok(Number(lines[1]) < 8, lines[1]);
  assert.equal(lines[2], "toolbox");
});

test("a command's environment holds nothing of ours", async () => {
  process.env["DODEKA_TEST_SECRET"] = "do not tell";
  const { stdout } = await shell("env", { env: { GIVEN: "yes" } });
  const names = stdout
    .split("\n")
    .map((line) => line.split("=", 1).join())
    .filter((name) => name !== "_" && name !== "SHLVL");
  assert.deepEqual(names.sort(), ["GIVEN", "HOME", "LC_ALL", "PATH", "PWD"]);
});

test("a command that runs too long is ended", async () => {
  const before = performance.now();
  const { timedOut, exitCode } = await shell("sleep 60", {}, { timeoutMs: 300 });
  assert.deepEqual([timedOut, exitCode !== 0], [true, true]);
  assert.ok(performance.now() - before < 5000);
});

test("an aborted command ends with all its children", async () => {
  const stop = new AbortController();
  const mark = `60.${process.pid}`;
  const running = shell(`sleep ${mark} & sleep ${mark}`, {}, { signal: stop.signal });
  await waitFor(() => processesWith(mark).filter((line) => line.trim() === `sleep ${mark}`).length === 2);
  stop.abort();
  await assert.rejects(running, { code: "CANCELLED" });
  await waitFor(() => processesWith(mark).length === 0);
});

test("a command dies with the process that started it, even when that is killed", async () => {
  const mark = `61.${process.pid}`;
  const child = spawn(process.execPath, [USER_PROGRAM, "0", root, `sleep ${mark}`], { stdio: "ignore" });
  await waitFor(() => processesWith(mark).some((line) => line.trim() === `sleep ${mark}`));
  child.kill("SIGKILL");
  await once(child, "exit");
  await waitFor(() => processesWith(mark).length === 0);
});

test("a toolbox that is none is HOST_UNFIT", async () => {
  await assert.rejects(runInSandbox("/nonexistent", { argv: ["true"], binds: [] }), { code: "HOST_UNFIT" });
});

test("only root goes without a user namespace", () => {
  const command = { argv: ["true"], binds: [] };
  assert.ok(!sandboxArgv(root, command, true).includes("--unshare-user"));
  assert.ok(sandboxArgv(root, command, false).includes("--unshare-user"));
  for (const isRoot of [true, false]) assert.ok(sandboxArgv(root, command, isRoot).includes("--unshare-net"));
  assert.ok(!sandboxArgv(root, { ...command, network: true }, false).includes("--unshare-net"));
});

test("a command has no capability, whoever started it", async () => {
  const { stdout } = await runInSandbox(root, { argv: ["cat", "/proc/self/status"], binds: [] });
  assert.match(stdout, /^CapPrm:\s+0{16}$/m);
  assert.match(stdout, /^CapEff:\s+0{16}$/m);
  assert.match(stdout, /^NoNewPrivs:\s+1$/m); // so the bounding set cannot give any back
});

test("a command with powers has them over its own namespaces and not over the host", async () => {
  const dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, "foreign"), "");
  if (process.getuid?.() === 0) chownSync(join(dir, "foreign"), 12_345, 12_345);
  const script = [
    "mount -t tmpfs none /tmp && echo mounted",
    "unshare -n true && echo network",
    "mkdir /tmp/g && mount -t cgroup2 none /tmp/g && echo cgroup",
    "chown 0 /build/foreign 2>/dev/null || echo foreign",
    "cat /proc/self/setgroups",
  ].join("; ");
  const { stdout } = await shell(script, { powers: true, binds: [{ host: dir, inside: "/build", writable: true }] });
  const own = process.getuid?.() === 0 ? ["foreign"] : [];
  assert.deepEqual(stdout.split("\n"), ["mounted", "network", "cgroup", ...own, "deny"]);
});

test("an ordinary user enters the toolbox through a user namespace, as root inside and as nobody outside", async () => {
  const uid = process.getuid?.() === 0 ? 12_345 : (process.getuid?.() ?? 0);
  const { root: small } = await smallToolbox();
  const script =
    "id -u; cat /proc/self/uid_map | tr -s ' '; touch /usr/mark 2>/dev/null || echo read-only; ls /proc/net/dev >/dev/null && cut -d: -f1 /proc/net/dev | tail -n +3";
  const { stdout } = await promisify(execFile)(process.execPath, [USER_PROGRAM, String(uid), small, script]);
  const result = JSON.parse(stdout) as SandboxResult;
  assert.equal(result.exitCode, 0, result.stderr);
  const lines = result.stdout.split("\n").map((line) => line.trim());
  assert.deepEqual(lines, ["0", `0 ${uid} 1`, "read-only", "lo"]);
});

/** A shell in a toolbox that anybody may enter: the real one may lie in a home that only its owner can see. */
async function smallToolbox(): Promise<Toolbox> {
  const dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  const [store, full, lock] = [
    await openStore(join(dir, "store")),
    await openStore(readSettings().storeDir),
    readLock(),
  ];
  const needed =
    /^(base-files|bash|bubblewrap|coreutils|libacl1|libattr1|libc6|libcap2|libgmp10|libpcre2-8-0|libselinux1|libssl3t64|libtinfo6|libzstd1|zlib1g)$/;
  const members = packagesOf(lock, "judges").filter((entry) => needed.test(entry.name));
  for (const { sha256: digest } of members) await putFile(store, blobPath(full, digest));
  return openToolbox(store, { ...lock, groups: { small: members.map((entry) => entry.name) } }, "small");
}

/** Command lines of living processes that hold `text`; our own is not among them. */
function processesWith(text: string): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return line.includes(text) ? [line] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (condition()) return;
    await sleep(25);
  }
  assert.fail("it did not happen within five seconds");
}
