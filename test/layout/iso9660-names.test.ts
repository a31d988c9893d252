// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { mangleIsoNames } from "../../builder/layout/iso9660-names.ts";
import { buildIsoTree } from "../../builder/layout/iso9660-tree.ts";

function mangled(...names: readonly string[]): string[] {
  const found = mangleIsoNames(
    names.map((name) => (name.endsWith("/") ? { kind: "directory", name: name.slice(0, -1) } : { kind: "file", name })),
  );
  return [...found.values()].map((n) => n.identifier);
}

for (const { name, got, want } of [
  { name: "upper case and a version", got: mangled("kernel.img", "README"), want: ["KERNEL.IMG;1", "README.;1"] },
  { name: "one dot", got: mangled("a.tar.gz", ".hidden", "end."), want: ["A_TAR.GZ;1", "_HIDDEN.;1", "END.;1"] },
  { name: "no dot in directories", got: mangled("conf.d/"), want: ["CONF_D"] },
  { name: "underscores for the rest", got: mangled("a+b c-é🚀.x~y"), want: ["A_B_C___.X_Y;1"] },
  { name: "30 characters", got: mangled(`${"x".repeat(40)}.extension1`), want: [`${"X".repeat(22)}.EXTENSIO;1`] },
  { name: "31 characters for a directory", got: mangled(`${"x".repeat(40)}/`), want: ["X".repeat(31)] },
  {
    name: "numbers to names that collide",
    got: mangled("a b", "a-b", "a+b"),
    want: ["A_B.;1", "A_B000.;1", "A_B001.;1"],
  },
  { name: "numbers to files like a directory", got: mangled("GRUB/", "grub"), want: ["GRUB", "GRUB000.;1"] },
]) {
  test(`mangleIsoNames gives ${name}`, () => assert.deepEqual(got, want));
}

test("mangleIsoNames is unique and valid for any directory", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "A", "0", ".", "-", " ", "é"), minLength: 1, maxLength: 40 });
  const entry = fc.record({ name, kind: fc.constantFrom("file" as const, "directory" as const) });
  fc.assert(
    fc.property(fc.uniqueArray(entry, { maxLength: 40, selector: (e) => e.name }), (entries) => {
      const names = [...mangleIsoNames(entries).values()];
      assert.equal(new Set(names.map((n) => `${n.stem}.${n.extension}`)).size, entries.length);
      for (const { identifier } of names)
        assert.match(identifier, /^(?=.{1,33}$)([A-Z0-9_]{1,31}|[A-Z0-9_]{1,30}\.[A-Z0-9_]{0,8};1)$/);
    }),
  );
});

test("buildIsoTree orders by level, parent and name, whatever the order of the paths", () => {
  const paths = ["z/1/x", "a/2/x", "a/1/x", "B/x", "a-c", "a.b"];
  const want = ["", "a", "B", "z", "a/1", "a/2", "z/1"];
  for (const order of [paths, paths.toReversed()]) {
    const tree = buildIsoTree(order);
    assert.deepEqual(
      tree.map((d) => d.path),
      want,
    );
    assert.deepEqual(
      tree.map((d) => d.parent),
      [0, 0, 0, 0, 1, 1, 3],
    );
    assert.deepEqual(
      tree[0]?.nodes.map((n) => n.iso.identifier),
      ["A", "A.B;1", "A_C.;1", "B", "Z"],
    );
  }
});
