// SPDX-License-Identifier: Apache-2.0
// Compiles the programs that several test files need, or that take long, once: two files at a time would each compile them.
import { buildEtcd } from "../etcd/build.ts";
import { buildHostrun, buildTalosctl } from "./build.ts";

await buildTalosctl();
await buildHostrun();
await buildEtcd();
