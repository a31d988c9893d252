// SPDX-License-Identifier: Apache-2.0
// The field table as a JSON Schema (draft 7, which editors understand best), and its compiled validator.
import { Ajv } from "ajv";
import type { ErrorObject, ValidateFunction } from "ajv";
import type { Field } from "./field.ts";
import { FIELDS } from "./fields.ts";

/** A JSON Schema as plain data. */
export interface SchemaNode {
  readonly [keyword: string]: unknown;
}

/** The schema of a whole profile, for editors and other tools. Unknown fields are refused on every level. */
export function profileJsonSchema(): SchemaNode {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Dodeka profile",
    ...mappingSchema(""),
  };
}

/** Every way in which `value` breaks the schema. Paths are JSON Pointers (RFC 6901). */
export function schemaErrors(value: unknown): readonly ErrorObject[] {
  validator ??= new Ajv({ strict: true, allowUnionTypes: true, allErrors: true }).compile(profileJsonSchema());
  return validator(value) ? [] : (validator.errors ?? []);
}

/** Compiled on first use: it costs about 30 ms, which commands that read no profile need not pay. */
let validator: ValidateFunction | undefined;

/** Names of the fields directly below `parent` ("" for the top level). */
export function fieldNames(parent: string): readonly string[] {
  return childFields(parent).map((field) => lastName(field.path));
}

function childFields(parent: string): readonly Field[] {
  return FIELDS.filter((field) => field.path === joinPath(parent, lastName(field.path)));
}

function mappingSchema(parent: string): SchemaNode {
  const fields = childFields(parent);
  const required = fields.filter((field) => field.required).map((field) => lastName(field.path));
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(fields.map((field) => [lastName(field.path), fieldSchema(field)])),
  };
}

function fieldSchema(field: Field): SchemaNode {
  return {
    description: field.help,
    ...field.schema,
    ...(field.schema.type === "object" ? mappingSchema(field.path) : {}),
    ...(field.items === undefined ? {} : { items: field.items.schema }),
    ...(field.default === undefined ? {} : { default: field.default }),
  };
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function joinPath(parent: string, name: string): string {
  return parent === "" ? name : `${parent}.${name}`;
}
