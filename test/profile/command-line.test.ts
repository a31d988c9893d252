// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { composeCommandLine } from "../../builder/profile/command-line.ts";
import type { Profile } from "../../builder/profile/model.ts";
import { parseProfile } from "../../builder/profile/parse.ts";

const BASE = ["dodeka.root=abc", "panic=0", "nvme_core.io_timeout=30"];

function profileWith(add: readonly string[], remove: readonly string[]): Profile {
  const plain = parseProfile("format: 1\nname: a\nplatform: metal\n", "p.yaml");
  return { ...plain, kernelArguments: { add, remove } };
}

test("composeCommandLine takes away before it adds", () => {
  const cases: readonly { name: string; add: readonly string[]; remove: readonly string[]; want: string }[] = [
    {
      name: "nothing changed",
      add: [],
      remove: [],
      want: "dodeka.root=abc panic=0 nvme_core.io_timeout=30 console=tty0 console=ttyS0",
    },
    {
      name: "one by its exact text",
      add: [],
      remove: ["console=tty0"],
      want: "dodeka.root=abc panic=0 nvme_core.io_timeout=30 console=ttyS0",
    },
    {
      name: "all of a key, in the order given",
      add: ["b", "a"],
      remove: ["console"],
      want: "dodeka.root=abc panic=0 nvme_core.io_timeout=30 b a",
    },
    {
      name: "a key with dashes, replaced",
      add: ["panic=10"],
      remove: ["panic", "nvme-core.io-timeout"],
      want: "dodeka.root=abc console=tty0 console=ttyS0 panic=10",
    },
  ];
  for (const { name, add, remove, want } of cases) {
    assert.equal(composeCommandLine(profileWith(add, remove), BASE), want, name);
  }
});

test("composeCommandLine refuses to remove what is not there", () => {
  const cases: readonly { entry: string; fix: string }[] = [
    { entry: "consoel", fix: "did you mean console?" },
    { entry: "panic=1", fix: "did you mean panic=0?" },
    { entry: "mitigations", fix: "remove the entry" },
  ];
  for (const { entry, fix } of cases) {
    assert.throws(
      () => composeCommandLine(profileWith([], ["console", entry]), BASE),
      (error) => {
        assert.ok(error instanceof FactoryError);
        assert.equal(error.code, "PROFILE_INVALID");
        assert.equal(error.details.field, "kernelArguments.remove[1]");
        assert.equal(error.details.found, entry);
        assert.equal(error.details.fix, fix);
        return true;
      },
    );
  }
});

test("composeCommandLine fills the kernel's buffer to the last character and no further", () => {
  const short = composeCommandLine(profileWith(["x="], []), BASE).length;
  const fits = `x=${"y".repeat(2047 - short)}`;
  assert.equal(composeCommandLine(profileWith([fits], []), BASE).length, 2047);
  assert.throws(
    () => composeCommandLine(profileWith([`${fits}y`], []), BASE),
    (error) => {
      assert.ok(error instanceof FactoryError);
      assert.equal(error.code, "PLAN_IMPOSSIBLE");
      assert.equal(error.details.found, 2048);
      assert.match(error.details.expected, /2047/);
      return true;
    },
  );
});
