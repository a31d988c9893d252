// SPDX-License-Identifier: Apache-2.0
// A program for the second build: unpacks the compile toolbox into the store and prints where, and what day it is in it.
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { readLock } from "../../builder/release/lock.ts";
import { openToolbox } from "../../builder/release/toolbox.ts";

const store = await openStore(readSettings().storeDir);
const { root } = await openToolbox(store, readLock(), "compile");
const { stdout: day } = await runInSandbox(root, { argv: ["date", "+%Y-%m-%d"], binds: [] });
process.stdout.write(JSON.stringify({ root, day: day.trim() }));
