// SPDX-License-Identifier: Apache-2.0
// `npm run check`: format, lint with types, types, dead code, and the unit tests, which include import direction.
import { quickStages, runCheck } from "./stages.ts";

const ABOUT = "The quick checks: no network, no virtual machine.";

process.exitCode = await runCheck(ABOUT, quickStages(), process.argv.slice(2));
