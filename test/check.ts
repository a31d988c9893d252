// SPDX-License-Identifier: Apache-2.0
// `npm run check`: format, lint with types, types, dead code, and the unit tests, which include import direction.
import { runStages, tool, unitTests } from "./stages.ts";

process.exitCode = await runStages([
  tool("format", ["prettier", "--check", "--log-level", "warn", "."]),
  tool("lint", ["oxlint", "--type-aware", "--deny-warnings"]),
  tool("types", ["tsc", "--noEmit"]),
  tool("dead code", ["knip", "--no-progress"]),
  unitTests(),
]);
