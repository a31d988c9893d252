// SPDX-License-Identifier: Apache-2.0
// What one row of the field table says. Everything about a field hangs on its row: the JSON Schema, the checks, the
// default, the texts of its errors, the command line option, and its paragraph on the reference page.

/** A better text than the row's own, for one particular wrong value. */
export interface Complaint {
  readonly expected?: string;
  readonly fix: string;
}

/** The keywords of JSON Schema (draft 7) that the table uses. */
export interface JsonSchema {
  readonly type: "object" | "array" | "string" | "integer" | readonly ["string", "integer"];
  readonly const?: number;
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
}

/** The rule for one value: its shape, and the words for what is wrong with it. */
export interface Rule {
  readonly schema: JsonSchema;
  /** Continues "expected …"; names the allowed values, with units. */
  readonly expected: string;
  /** Continues "fix: …"; the remedy when `check` has none that fits better. */
  readonly fix: string;
  /** Says what the schema cannot, or says it better. Gets any JSON value. */
  readonly check?: (value: unknown) => Complaint | undefined;
}

/** How the command line overrides a field. `key` names it in ProfileOverrides. */
export interface FieldOption {
  readonly key: "outputs" | "arch" | "addArguments" | "removeArguments" | "console" | "espSize" | "sectorSize";
  readonly flag: string;
  /** Placeholder of the value in help texts. */
  readonly argument: string;
  /** `replace` takes the field's place; `append` adds to its list. */
  readonly effect: "replace" | "append";
}

export interface Field extends Rule {
  /** Dotted path, as errors show it. Parents stand before their children in the table. */
  readonly path: string;
  /** Whether a profile must have it. */
  readonly required: boolean;
  /** As the user would write it; undefined when a missing field stays missing. */
  readonly default: unknown;
  /** The rule of each entry, when the field is a list. */
  readonly items?: Rule;
  /** One or two sentences for the reference page and for editors. */
  readonly help: string;
  /** YAML for the reference page. */
  readonly example: string;
  /** First release of the factory that reads it. */
  readonly since: string;
  readonly option?: FieldOption;
}
