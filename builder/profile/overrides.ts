// SPDX-License-Identifier: Apache-2.0
// Profile + command line options -> Profile. The options are those of the field table and obey the same rules; an
// error names the option, since that is what the user wrote.
import { FactoryError, FactoryErrors } from "../errors.ts";
import { completeProfile, toDocument } from "./complete.ts";
import type { Field, FieldOption } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { findProblems, valueAt } from "./findings.ts";
import type { Finding } from "./findings.ts";
import type { Profile } from "./model.ts";

/** Values as the command line has them; an absent one leaves the profile's. */
export interface ProfileOverrides {
  readonly outputs?: readonly string[];
  readonly arch?: string;
  readonly addArguments?: readonly string[];
  readonly removeArguments?: readonly string[];
  readonly console?: readonly string[];
  readonly espSize?: string;
  /** Digits. */
  readonly sectorSize?: string;
}

/** What a command needs to declare an option and to show its help. */
export interface ProfileOption {
  readonly key: FieldOption["key"];
  /** Of the profile field, dotted. */
  readonly path: string;
  /** `--kernel-arg`. */
  readonly flag: string;
  /** Placeholder of the value. */
  readonly argument: string;
  /** Whether the option may be given more than once. */
  readonly repeatable: boolean;
  readonly help: string;
}

/** The options that override profile fields, in table order. */
export function profileOptions(): readonly ProfileOption[] {
  return optionFields().map(({ field, option }) => ({
    key: option.key,
    path: field.path,
    flag: option.flag,
    argument: option.argument,
    repeatable: field.items !== undefined,
    help: `${option.effect === "append" ? "extends" : "replaces"} ${field.path}: ${(field.items ?? field).expected}`,
  }));
}

/**
 * A new profile with the options applied; `profile` is not changed. Throws FactoryErrors of code USAGE that name the
 * options, in table order.
 */
export function applyOverrides(profile: Profile, overrides: ProfileOverrides): Profile {
  const document = optionFields().reduce<object>((at, { field, option }) => {
    const given = overrides[option.key];
    return given === undefined ? at : replaceAt(at, field.path.split("."), newValue(at, field, given));
  }, toDocument(profile));
  const findings = findProblems(document);
  if (findings.length > 0) throw new FactoryErrors(findings.map(toUsageError));
  return completeProfile(document);
}

function optionFields(): readonly { readonly field: Field; readonly option: FieldOption }[] {
  return FIELDS.flatMap((field) => (field.option === undefined ? [] : [{ field, option: field.option }]));
}

function newValue(document: object, field: Field, given: string | readonly string[]): unknown {
  if (field.option?.effect === "append") {
    return (valueAt(document, field.path.split(".")) as readonly string[]).concat(given);
  }
  if (field.schema.type === "integer" && typeof given === "string" && /^[0-9]{1,15}$/.test(given)) return Number(given);
  return given;
}

function replaceAt(value: object, [step, ...rest]: readonly string[], replacement: unknown): object {
  if (step === undefined) return value;
  const child: unknown = valueAt(value, [step]);
  const isLeaf = rest.length === 0 || typeof child !== "object" || child === null;
  return { ...value, [step]: isLeaf ? replacement : replaceAt(child, rest, replacement) };
}

/** The profile was right before, so whatever is wrong now came with an option. */
function toUsageError({ path, found, expected, fix }: Finding): FactoryError {
  const name = path.filter((step) => typeof step === "string").join(".");
  const flag = FIELDS.find((field) => field.path === name)?.option?.flag ?? name;
  return new FactoryError({ code: "USAGE", field: flag, found, expected, fix });
}
