// SPDX-License-Identifier: Apache-2.0
// dodeka doctor: says what this host lacks and how to get it. Changes nothing but an empty store folder.
import { access, constants, statfs } from "node:fs/promises";
import { findMirrors } from "../release/apt-config.ts";
import { probeAccelerator } from "../host/kvm-probe.ts";
import { runInSandbox } from "../host/sandbox.ts";
import { openStore } from "../host/store.ts";
import { renderError } from "../report/error-text.ts";
import { readLock } from "../release/lock.ts";
import { toolboxDir, toolboxReady } from "../release/toolbox.ts";
import { findRelease } from "./load-release.ts";
import { DEFAULT_KEYRING } from "./context.ts";
import type { CommandContext, CommandResult } from "./context.ts";

interface Finding {
  readonly name: string;
  readonly level: "ok" | "note" | "problem";
  readonly text: string;
  readonly fix?: string;
}

const NEEDED_BYTES = 4 * 1024 ** 3;

/** Exit code 69 when something is missing that building needs. */
export async function runDoctor(context: CommandContext): CommandResult {
  const checks = [kernelCheck, storeCheck, archiveCheck, keyringCheck, toolboxCheck, releaseCheck, acceleratorCheck];
  const findings: Finding[] = [];
  for (const check of checks) findings.push(await check(context).catch(asFinding));
  context.print(findings.map(describeFinding).join(""), findings);
  return findings.some((f) => f.level === "problem") ? 69 : undefined;
}

function describeFinding({ level, name, text, fix }: Finding): string {
  const remedy = fix === undefined ? "" : `        fix: ${fix}\n`;
  return `${level.padEnd(8)}${name}: ${text}\n${remedy}`;
}

/** A check that cannot even run is a finding too: a doctor who stops at the first illness is none. */
function asFinding(error: unknown): Finding {
  return { name: "check", level: "problem", text: renderError(error, { color: false }) };
}

async function kernelCheck(): Promise<Finding> {
  const name = "host";
  if (process.platform !== "linux" || process.arch !== "x64") {
    return { name, level: "problem", text: `${process.platform} on ${process.arch}`, fix: "use Linux on x86-64" };
  }
  return { name, level: "ok", text: `Linux on x86-64, Node ${process.versions.node}` };
}

async function storeCheck({ settings }: CommandContext): Promise<Finding> {
  const name = "store";
  try {
    const store = await openStore(settings.storeDir);
    const { bavail, bsize } = await statfs(store.dir);
    const free = bavail * bsize;
    const text = `${store.dir}, ${Math.floor(free / 1024 ** 2)} MiB free`;
    if (free >= NEEDED_BYTES) return { name, level: "ok", text };
    return { name, level: "problem", text, fix: "free 4 GiB, or set DODEKA_STORE to a directory with more space" };
  } catch (error) {
    return {
      name,
      level: "problem",
      text: renderError(error, { color: false }),
      fix: "set DODEKA_STORE to a directory that you may write to",
    };
  }
}

async function archiveCheck({ settings }: CommandContext): Promise<Finding> {
  const name = "Debian archive";
  try {
    const mirrors = await findMirrors(settings);
    return { name, level: "ok", text: `${mirrors.debian} and ${mirrors["debian-security"]}` };
  } catch (error) {
    return {
      name,
      level: "problem",
      text: renderError(error, { color: false }),
      fix: "set DODEKA_DEBIAN_MIRROR and DODEKA_DEBIAN_SECURITY_MIRROR",
    };
  }
}

async function keyringCheck(): Promise<Finding> {
  const name = "archive keys";
  const present = await access(DEFAULT_KEYRING, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (present) return { name, level: "ok", text: DEFAULT_KEYRING };
  return {
    name,
    level: "note",
    text: "not installed; only `dodeka lock` needs them",
    fix: "install debian-archive-keyring, or use --keyring",
  };
}

/** Tries to enter the toolbox: user namespaces may be switched off for ordinary users. */
async function toolboxCheck({ settings }: CommandContext): Promise<Finding> {
  const name = "toolbox";
  const store = await openStore(settings.storeDir);
  const lock = readLock();
  if (!(await toolboxReady(store, lock, "compile")))
    return { name, level: "note", text: "not unpacked yet; `dodeka release build` does it" };
  const { exitCode, stderr } = await runInSandbox(toolboxDir(store, lock, "compile"), { argv: ["true"], binds: [] });
  if (exitCode === 0) return { name, level: "ok", text: "unpacked, and can be entered" };
  const fix =
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or run as root";
  return { name, level: "problem", text: stderr.trim(), fix };
}

async function releaseCheck({ settings }: CommandContext): Promise<Finding> {
  const name = "release";
  const found = await findRelease(await openStore(settings.storeDir));
  if (found === undefined) return { name, level: "note", text: "none compiled yet", fix: "run `dodeka release build`" };
  return { name, level: "ok", text: `${found.release.version} ${found.digest}` };
}

async function acceleratorCheck({ settings }: CommandContext): Promise<Finding> {
  const name = "virtual machines";
  const store = await openStore(settings.storeDir);
  const lock = readLock();
  if (!(await toolboxReady(store, lock, "machine")))
    return { name, level: "note", text: "QEMU is not unpacked yet; `dodeka run` does it" };
  const accelerator = await probeAccelerator(toolboxDir(store, lock, "machine"));
  return {
    name,
    level: "ok",
    text: accelerator === "kvm" ? "KVM works" : "TCG (KVM is absent, or a probe guest did not answer)",
  };
}
