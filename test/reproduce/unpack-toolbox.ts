// SPDX-License-Identifier: Apache-2.0
// A program for the second build: unpacks the compile toolbox into the store and prints where.
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { readLock } from "../../builder/release/lock.ts";
import { openToolbox } from "../../builder/release/toolbox.ts";

const store = await openStore(readSettings().storeDir);
process.stdout.write((await openToolbox(store, readLock(), "compile")).root);
