// SPDX-License-Identifier: Apache-2.0
// UPDATE_GOLDENS=1 node --test test/profile/reference.test.ts rewrites the page.
import { test } from "node:test";
import { renderReference } from "../../builder/profile/reference.ts";
import { matchGolden } from "../report/golden.ts";

test("profiles/REFERENCE.md is the reference of the field table", () => {
  matchGolden(new URL("../../profiles/REFERENCE.md", import.meta.url), renderReference());
});
