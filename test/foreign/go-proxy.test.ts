// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { usualProxies } from "../../builder/release/go-modules.ts";
import { openBox } from "./judge.ts";

test("modules come from where the user says, else from Go's own default", async () => {
  const box = await openBox("compile");
  const proxies = (env: Readonly<Record<string, string>>): Promise<string> => usualProxies(box, { env, files: [] });
  assert.equal(await proxies({ GOPROXY: "https://proxy.invalid|direct" }), "https://proxy.invalid|direct");
  assert.match(await proxies({}), /^https:\/\/[a-z.]+,direct$/);
});
