// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { assignShortNames, fatNameKey, fatNameProblem } from "../../builder/layout/fat32-names.ts";
import { buildFatTree } from "../../builder/layout/fat32-tree.ts";

function shortNames(names: readonly string[]): string[] {
  const assigned = assignShortNames(names);
  return names.map((name) => {
    const short = assigned.get(name);
    return Buffer.from(short?.bytes ?? []).toString("latin1") + (short?.exact === true ? "" : " +long");
  });
}

for (const { name, names, want } of [
  {
    name: "upper-case 8.3 as it is",
    names: ["KERNEL.IMG", "A", "BOOTX64.EFI"],
    want: ["KERNEL  IMG", "A          ", "BOOTX64 EFI"],
  },
  {
    name: "other case without a tail",
    names: ["Linux", "loader.conf"],
    want: ["LINUX       +long", "LOADER~1CON +long"],
  },
  {
    name: "a tail for what was cut",
    names: ["longname1.text", "longname2.text"],
    want: ["LONGNA~1TEX +long", "LONGNA~2TEX +long"],
  },
  {
    name: "a tail that skips a real name",
    names: ["LONGNA~1.TEX", "longname1.text"],
    want: ["LONGNA~1TEX", "LONGNA~2TEX +long"],
  },
  {
    name: "a tail that skips a later real name",
    names: ["longname1.text", "longna~1.tex"],
    want: ["LONGNA~2TEX +long", "LONGNA~1TEX +long"],
  },
  { name: "leading dots dropped", names: [".config", "..x"], want: ["CONFIG~1    +long", "X~1         +long"] },
  { name: "inner dots and spaces dropped", names: ["a.b c.d"], want: ["ABC~1   D   +long"] },
  {
    name: "foreign characters replaced",
    names: ["é+🚀.x", "日本語"],
    want: ["___~1   X   +long", "___~1       +long"],
  },
] satisfies { name: string; names: string[]; want: string[] }[]) {
  test(`assignShortNames gives ${name}`, () => assert.deepEqual(shortNames(names), want));
}

test("assignShortNames shortens the base when the tail grows", () => {
  const names = Array.from({ length: 12 }, (_, i) => `longer-than-eight-${i}`);
  assert.deepEqual(shortNames(names).slice(8, 11), ["LONGER~9    +long", "LONGE~10    +long", "LONGE~11    +long"]);
});

test("assignShortNames is unique among short and long names for any directory", () => {
  const name = fc.string({
    unit: fc.constantFrom("a", "B", "~", "1", ".", " ", "é", "x"),
    minLength: 1,
    maxLength: 14,
  });
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 40, selector: fatNameKey }), (all) => {
      const names = all.filter((n) => fatNameProblem(n) === undefined);
      const shorts = [...assignShortNames(names).values()].map((s) => Buffer.from(s.bytes).toString("latin1"));
      assert.equal(new Set(shorts).size, names.length);
      for (const short of shorts) assert.match(short, /^[A-Z0-9~_]{1,8} *[A-Z0-9~_]{0,3} *$/);
    }),
  );
});

for (const { path, why } of [
  { path: "", why: "an empty path" },
  { path: "/a", why: "an absolute path" },
  { path: "a//b", why: "an empty name" },
  { path: "a/", why: "a directory as a file" },
  { path: "../a", why: "a way out" },
  { path: "a/./b", why: "a dot" },
  { path: "name.", why: "a trailing dot" },
  { path: "dir /x", why: "a trailing space" },
  { path: "a\u0000b", why: "a NUL" },
  { path: "a\u001fb", why: "a control character" },
  { path: "a\u007fb", why: "a delete character" },
  { path: "a\\b", why: "a backslash" },
  { path: "c:d", why: "a colon" },
  { path: 'a"b', why: "a quote" },
  { path: "a*", why: "an asterisk" },
  { path: "a?", why: "a question mark" },
  { path: "a<b", why: "an angle bracket" },
  { path: "a|b", why: "a bar" },
  { path: "x".repeat(256), why: "256 units" },
  { path: "🚀".repeat(128), why: "256 units of surrogate pairs" },
  { path: "a\ud800b", why: "half a surrogate pair" },
  { path: Array.from({ length: 65 }, () => "d").join("/"), why: "65 levels" },
]) {
  test(`buildFatTree refuses ${why}`, () => {
    assert.throws(() => buildFatTree([path]), { code: "LAYOUT_INVALID" });
  });
}

for (const paths of [
  ["a", "a"],
  ["Name.txt", "NAME.TXT"],
  ["dir/a", "DIR/b"],
  ["a", "a/b"],
  ["a/b", "a"],
  ["é", "É"],
]) {
  test(`buildFatTree refuses ${JSON.stringify(paths)} as one name`, () => {
    assert.throws(() => buildFatTree(paths), { code: "LAYOUT_INVALID" });
  });
}

test("buildFatTree refuses a directory above 65536 entries", () => {
  const paths = Array.from({ length: 65_534 }, (_, i) => `D/${i}`);
  assert.equal(buildFatTree(paths).at(1)?.bytes, 65_536 * 32);
  assert.throws(() => buildFatTree([...paths, "D/MORE"]), { code: "LAYOUT_INVALID" });
});

test("buildFatTree lists parents first and names by their UTF-8 bytes", () => {
  const tree = buildFatTree(["z", "b/c/x", "b/\uffff", "b/🚀", "b/Z", "b-/y"]);
  assert.deepEqual(
    tree.map((d) => d.path),
    ["", "b", "b-", "b/c"],
  );
  assert.deepEqual(
    tree.at(1)?.nodes.map((n) => n.name),
    ["Z", "c", "\uffff", "🚀"],
  );
});
