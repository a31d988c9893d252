// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Candidate } from "../../builder/release/closure.ts";
import { resolveGroup } from "../../builder/release/closure.ts";

function candidate(name: string, depends: readonly (readonly string[])[], provides: readonly string[]): Candidate {
  const digest = sha256(name);
  const locked = {
    name,
    version: "1",
    arch: "all",
    suite: "trixie",
    archive: "debian",
    size: 1,
    sha256: digest,
  } as const;
  return { ...locked, path: `pool/${name}.deb`, depends, provides };
}

/** `name: a | b, c > provided` in one line each. */
function index(...lines: readonly string[]): ReadonlyMap<string, Candidate> {
  const words = (text: string, separator: string): readonly string[] =>
    text
      .split(separator)
      .map((w) => w.trim())
      .filter((w) => w !== "");
  const candidates = lines.map((line) => {
    const [name = "", rest = ""] = line.split(":");
    const [depends = "", provides = ""] = rest.split(">");
    return candidate(
      name,
      words(depends, ",").map((clause) => words(clause, "|")),
      words(provides, ","),
    );
  });
  return new Map(candidates.map((c) => [c.name, c]));
}

interface Case {
  readonly name: string;
  readonly lines: readonly string[];
  readonly without?: readonly string[];
  readonly want: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "dependencies of dependencies, sorted",
    lines: ["tool: z, b", "b: a", "a", "z", "unrelated"],
    want: ["a", "b", "tool", "z"],
  },
  {
    name: "the first alternative that exists",
    lines: ["tool: gone | second | third", "second", "third"],
    want: ["second", "tool"],
  },
  {
    name: "no second alternative where one is chosen already",
    lines: ["tool: third, later", "later: first | third", "first", "third"],
    want: ["later", "third", "tool"],
  },
  {
    name: "the first provider of a virtual package by name",
    lines: ["tool: awk", "mawk: > awk", "gawk: > awk"],
    want: ["gawk", "tool"],
  },
  { name: "a real package before a provider", lines: ["tool: awk", "awk", "gawk: > awk"], want: ["awk", "tool"] },
  {
    name: "packages that depend on each other",
    lines: ["tool: libc", "libc: libgcc", "libgcc: libc"],
    want: ["libc", "libgcc", "tool"],
  },
  {
    name: "nothing that is left out, nor what only that needs",
    lines: ["tool: dpkg", "dpkg: tar"],
    without: ["dpkg"],
    want: ["tool"],
  },
];

for (const { name, lines, without = [], want } of CASES) {
  test(`resolveGroup takes ${name}`, () => {
    const group = { name: "tools", kind: "toolbox", packages: ["tool"], without } as const;
    assert.deepEqual(
      resolveGroup(index(...lines), group).map((c) => c.name),
      want,
    );
  });
}

test("resolveGroup names a package that does not exist and who needs it", () => {
  const group = { name: "tools", kind: "toolbox", packages: ["tool"], without: [] } as const;
  assert.throws(() => resolveGroup(index(), group), { code: "LOCK_INVALID", message: /group tools.*"tool"/ });
  assert.throws(() => resolveGroup(index("tool: gone | lost"), group), {
    code: "LOCK_INVALID",
    message: /for tool.*"gone \| lost"/,
  });
});

test("resolveGroup takes parts without their dependencies, and a kernel for its meta package", () => {
  const group = { name: "parts", kind: "parts", packages: ["linux-image-amd64", "data"], without: [] } as const;
  const found = resolveGroup(
    index("linux-image-amd64: linux-image-6.12-amd64, linux-base", "linux-image-6.12-amd64", "data: other"),
    group,
  );
  assert.deepEqual(
    found.map((c) => c.name),
    ["linux-image-6.12-amd64", "data"],
  );
});
