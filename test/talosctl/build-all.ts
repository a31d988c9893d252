// SPDX-License-Identifier: Apache-2.0
// Compiles the programs that several test files need, once: two files at a time would each compile them.
import { buildHostrun, buildTalosctl } from "./build.ts";

await buildTalosctl();
await buildHostrun();
