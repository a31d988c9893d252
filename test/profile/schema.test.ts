// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { FIELDS } from "../../builder/profile/fields.ts";
import { findProblems } from "../../builder/profile/findings.ts";
import { fieldNames, profileJsonSchema } from "../../builder/profile/schema.ts";

test("the schema compiles in strict mode and accepts the profile that ships", () => {
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(profileJsonSchema());
  const text = readFileSync(new URL("../../profiles/metal.yaml", import.meta.url), "utf8");
  assert.ok(validate(parse(text)), JSON.stringify(validate.errors));
  assert.ok(!validate({ format: 1, name: "a", platform: "metal", x: 1 }));
});

test("every field of the table is in the schema, with help and default", () => {
  for (const field of FIELDS) {
    const node = field.path.split(".").reduce((at, name) => {
      return (at["properties"] as Record<string, Record<string, unknown>>)[name] ?? {};
    }, profileJsonSchema());
    assert.equal(node["description"], field.help, field.path);
    assert.deepEqual(node["default"], field.default, field.path);
  }
});

test("every field stands after the mapping that holds it, once", () => {
  const paths = FIELDS.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  for (const [index, path] of paths.entries()) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf(".")));
    assert.ok(parent === "" || paths.slice(0, index).includes(parent), path);
  }
  assert.deepEqual(fieldNames("disk"), ["espSize", "sectorSize"]);
});

test("the example of every field is a valid profile", () => {
  const head = { format: 1, name: "a", platform: "metal" };
  for (const { path, example } of FIELDS) {
    const document = { ...head, ...(parse(example) as object) };
    assert.deepEqual(findProblems(document), [], path);
    assert.ok(example.startsWith(path.split(".", 1).join()), path);
  }
});

test("every default passes the rules of its field", () => {
  for (const { path, default: value } of FIELDS.filter((field) => field.default !== undefined)) {
    const [first = "", second] = path.split(".");
    const document = {
      format: 1,
      name: "a",
      platform: "metal",
      [first]: second === undefined ? value : { [second]: value },
    };
    assert.deepEqual(findProblems(document), [], path);
  }
});
