// SPDX-License-Identifier: Apache-2.0
// A program for sandbox.test.ts: runs a shell script in a toolbox as an ordinary user. Arguments: uid, toolbox root,
// script. Prints how it ended as JSON.
import { runInSandbox } from "../../builder/host/sandbox.ts";

const [, , uid = "", root = "", script = ""] = process.argv;
if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
process.stdout.write(`${JSON.stringify(await runInSandbox(root, { argv: ["bash", "-c", script], binds: [] }))}\n`);
