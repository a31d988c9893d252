// SPDX-License-Identifier: Apache-2.0
// `npm test`: everything. Checks and unit tests, the Go userland's tests, its API under the stock client, both releases and
// images built anew where the store does not hold them (our own kernel takes half an hour), foreign judges on every
// format, boots, and two builds that must agree.
import { goTests, product, quickStages, runCheck, script, tests } from "./stages.ts";

const ABOUT = "Every check, in order. A stage may need what an earlier one has put into the store.";
const STAGES = [
  ...quickStages(),
  goTests(),
  script("test programs", "test/talosctl/build-all.ts"),
  tests("machine API", "test/os", 2),
  tests("kernel configuration", "test/kernel/configure.test.ts", 1),
  product("kernel requirements and hardening", ["kernel", "check"]),
  product("release with the stock kernel", ["release", "build", "--kernel", "stock"]),
  product("release", ["release", "build"]),
  tests("kernel at work", "test/kernel/guest.test.ts", 1),
  tests("foreign judges", "test/foreign", 2),
  tests("boots", "test/boot", 2),
  tests("reproducibility", "test/reproduce", 2),
];

process.exitCode = await runCheck(ABOUT, STAGES, process.argv.slice(2));
