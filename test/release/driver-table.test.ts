// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { makeDriverTable, parseDriverTable, renderDriverTable } from "../../builder/release/driver-table.ts";

const known = new Map([
  ["e1000e", ["pci:v00008086d000010D3sv*sd*bc*sc*i*", "pci:v00008086d0000105Esv*sd*bc*sc*i*"]],
  ["mlx5_core", ["pci:v000015B3d00001013sv*sd*bc*sc*i*"]],
  ["radeon", ["pci:v00001002d00003150sv*sd*bc*sc*i*"]],
]);

test("the driver table tells built in, module and missing, sorted by alias", () => {
  const table = makeDriverTable(known, new Set(["e1000e"]), new Set(["mlx5_core"]));
  assert.equal(
    renderDriverTable(table),
    [
      "missing\tpci:v00001002d00003150sv*sd*bc*sc*i*\tradeon\n",
      "module\tpci:v000015B3d00001013sv*sd*bc*sc*i*\tmlx5_core\n",
      "builtin\tpci:v00008086d0000105Esv*sd*bc*sc*i*\te1000e\n",
      "builtin\tpci:v00008086d000010D3sv*sd*bc*sc*i*\te1000e\n",
    ].join(""),
  );
  assert.deepEqual(parseDriverTable(renderDriverTable(table)), table);
});

test("a driver that is both built in and a module counts as built in", () => {
  const [first] = makeDriverTable(new Map([["x", ["usb:v1"]]]), new Set(["x"]), new Set(["x"]));
  assert.equal(first?.state, "builtin");
});

for (const line of ["builtin\tpci:x", "gone\tpci:x\tx", "builtin\tpci:x\tx\ty"]) {
  test(`the driver table refuses ${JSON.stringify(line)} and names its line`, () => {
    assert.throws(
      () => parseDriverTable(`builtin\tpci:a\ta\n${line}\n`),
      (error) => error instanceof FactoryError && error.code === "FORMAT_INVALID" && error.details.line === 2,
    );
  });
}
