// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ARGUMENT_PATTERN, argumentKey, complainAboutArgument } from "../../builder/profile/kernel-argument.ts";

const pattern = new RegExp(ARGUMENT_PATTERN, "u");
const isGood = (argument: string): boolean => pattern.test(argument) && complainAboutArgument(argument) === undefined;

/** lib/cmdline.c, next_arg(): where the kernel ends one argument and begins the next. */
function kernelSplit(line: string): readonly string[] {
  const out: string[] = [];
  let current = "";
  let quoted = false;
  for (const character of line) {
    if (character === " " && !quoted) {
      if (current !== "") out.push(current);
      current = "";
      continue;
    }
    if (character === '"') quoted = !quoted;
    current += character;
  }
  return current === "" ? out : [...out, current];
}

test("kernel arguments of the usual shapes are good", () => {
  const good = [
    "quiet",
    "panic=10",
    "console=ttyS0,115200n8",
    "nvme_core.io_timeout=4294967295",
    "sysctl.net/ipv4/conf/eth0.100/forwarding=1",
    "ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:off",
    'dyndbg="file drivers/usb/* +p; module kvm -p"',
    "empty=",
    'empty=""',
    "a==b",
    "module.sig_enforce=1",
    "rootwait",
    "rootflags=ro",
    "initcall_debug",
    "dodeka.config=https://example.org/c.yaml?a=b&c=d",
  ];
  for (const argument of good) assert.ok(isGood(argument), argument);
});

test("kernel arguments that mean more or other than they show are refused", () => {
  const bad = [
    "",
    " ",
    "a b",
    " a",
    "a ",
    "a\n",
    "a\tb",
    "a=\0",
    "a=é",
    "--",
    "-quiet",
    "=x",
    '"a=b c"',
    'a="b',
    'a=b"c',
    'a="b"c',
    'a="b" init=/x',
    'pa"n"ic=1',
    '"dodeka.root=x"',
  ];
  for (const argument of bad) {
    assert.ok(!pattern.test(argument), JSON.stringify(argument));
    assert.ok(!isGood(argument), JSON.stringify(argument));
  }
});

test("arguments of the factory are refused, whatever their spelling", () => {
  const owned = ["dodeka.root", "dodeka.root=x", "dodeka.roothash=x", "dodeka.extension.a=1", "init=/bin/sh"];
  for (const argument of [...owned, "rdinit=/x", "root=/dev/sda", "initrd=x", "noinitrd"]) {
    assert.match(complainAboutArgument(argument)?.expected ?? "", /factory does not set/, argument);
  }
});

test("the kernel splits a command line of good arguments into those arguments", () => {
  const argument = fc.stringMatching(/^[a-z_.]{1,8}(=("[ -~]{0,12}"|[!-~]{0,12}))?$/).filter(isGood);
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 6 }), (list) => {
      assert.deepEqual(kernelSplit(list.join(" ")), list);
    }),
  );
});

test("argumentKey reads dashes as underscores", () => {
  assert.equal(argumentKey("nvme-core.io-timeout=a-b"), "nvme_core.io_timeout");
});
