// SPDX-License-Identifier: Apache-2.0
// A machine without a configuration: what a stranger may see, and that only the code on the console lets one in.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ADMIN, assertRefused, openApiTest } from "./api-test.ts";

const api = await openApiTest("maintenance");
const generated = join(api.cluster.dir, "generated/controlplane.yaml");
const MIB = 2 ** 20;

test("a stranger sees version, disks and resources", async () => {
  assert.match(await api.stranger.ok(["version"]), /Tag:\s+v/);
  assert.match(await api.stranger.ok(["get", "rd"]), /disks\.block\.talos\.dev/);
  await api.stranger.ok(["get", "disks"]);
});

for (const { args, why } of [
  { args: ["reset", "--wait=false"], why: /PermissionDenied/ },
  { args: ["meta", "write", "0xa", "x"], why: /PermissionDenied/ },
  { args: ["wipe", "disk", "vda"], why: /Unimplemented/ }, // whoever asks
]) {
  test(`a stranger is refused ${args.join(" ")}`, async () => {
    assertRefused(await api.stranger.run(args), why);
  });
}

/** Documents that change nothing. All are sent without the right code, except where the text says so. */
const REFUSED: readonly { readonly name: string; readonly text: () => string; readonly why: RegExp }[] = [
  { name: "without the code", text: () => api.cluster.config, why: /PermissionDenied.*one-time code/s },
  { name: "with a wrong code", text: () => withCode("0000-0000"), why: /PermissionDenied.*one-time code/s },
  { name: "with two codes", text: () => `# dodeka-code: 1\n${withCode(api.host.code())}`, why: /PermissionDenied/ },
  {
    name: "with the code inside a value",
    text: () => `a: "\n # dodeka-code: ${api.host.code()}"`,
    why: /PermissionDenied/,
  },
  {
    name: "of 64 MiB",
    text: () => withCode(api.host.code()) + "#".repeat(64 * MIB),
    why: /ResourceExhausted|larger than max/,
  },
];

for (const { name, text, why } of REFUSED) {
  test(`a configuration ${name} is refused`, async () => {
    writeFileSync(join(api.dir, "refused.yaml"), text());
    assertRefused(await api.stranger.run(["apply-config", "--file", "refused.yaml"]), why);
    assert.ok(api.host.isUp());
  });
}

/** Documents that come with the right code and are broken all the same. */
const BROKEN: readonly { readonly name: string; readonly text: string }[] = [
  { name: "that is no YAML", text: "{{{" },
  { name: "that is empty", text: "" },
  { name: "with an unknown field", text: "version: v1alpha1\nmachine:\n  nonsense: true\n" },
  { name: "of an unknown kind", text: "apiVersion: v1alpha1\nkind: NobodyKnows\n" },
  { name: "that unfolds without end", text: aliasBomb() },
  { name: "nested without end", text: `a: ${"[".repeat(100_000)}` },
];

for (const { name, text } of BROKEN) {
  test(`a configuration ${name} is refused although the code is right`, async () => {
    writeFileSync(join(api.dir, "broken.yaml"), withCode(api.host.code(), text));
    const result = await api.stranger.run(["apply-config", "--file", "broken.yaml"]);
    assertRefused(result, /code = (InvalidArgument|ResourceExhausted)/);
    assert.ok(api.host.isUp());
    assert.match(await api.stranger.ok(["version"]), /Tag:/);
  });
}

test("the code lets one configuration in, and its owner after that", async () => {
  const code = api.host.code();
  writeFileSync(join(api.dir, "right.yaml"), withCode(code));
  await api.stranger.ok(["apply-config", "--file", "right.yaml"]);
  const owner = await api.clientOf("owner", ADMIN);
  const deadline = performance.now() + 20_000;
  let last = await owner.run(["version"], { timeoutMs: 5000 });
  while (last.exitCode !== 0 && performance.now() < deadline) last = await owner.run(["version"], { timeoutMs: 5000 });
  assert.equal(last.exitCode, 0, last.stderr);
  assert.doesNotMatch(await owner.ok(["get", "machineconfig", "-o", "yaml"]), /dodeka-code/);
  assertRefused(await api.stranger.run(["apply-config", "--file", generated]), /certificate|tls|Unavailable/);
});

function withCode(code: string, config = api.cluster.config): string {
  return `# dodeka-code: ${code}\n${config}`;
}

/** Ten levels of ten references each: 10^10 values out of a few hundred bytes. */
function aliasBomb(): string {
  const level = (n: number): string =>
    `l${n}: &l${n} [${Array<string>(10)
      .fill(`*l${n - 1}`)
      .join(",")}]`;
  return ["l0: &l0 x", ...Array.from({ length: 10 }, (_, n) => level(n + 1))].join("\n");
}
