// SPDX-License-Identifier: Apache-2.0
// The reference page of the profile language, from the field table. profiles/REFERENCE.md is this text; a test
// compares the two and rewrites the page when UPDATE_GOLDENS is set.
import { stringify } from "yaml";
import { renderTable } from "../report/markdown-table.ts";
import type { Field } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { COMMAND_LINE_MAX, OWNED_KEYS } from "./kernel-argument.ts";
import { PROFILE_MAX_BYTES } from "./yaml-source.ts";

/** Markdown, with a line break at its end. */
export function renderReference(): string {
  const sections = [opening(), overview(), ...FIELDS.map(fieldSection), ownedArguments()];
  return `${sections.join("\n\n")}\n`;
}

function opening(): string {
  return `<!-- Written from builder/profile/fields.ts. Rewrite: UPDATE_GOLDENS=1 node --test test/profile/reference.test.ts -->

# Profile reference

A profile is one YAML 1.2 document in UTF-8, of at most ${PROFILE_MAX_BYTES / 1024} KiB. Unknown and repeated fields are errors, and so are
anchors, aliases, tags and directives. All problems of a profile are reported at once, with line, column and remedy.`;
}

function overview(): string {
  const rows = FIELDS.map((field) => {
    const option = field.option === undefined ? "" : `\`${field.option.flag}\``;
    return [`[\`${field.path}\`](#${anchor(field.path)})`, defaultText(field), option];
  });
  return renderTable(["field", "default", "option"], rows);
}

function fieldSection(field: Field): string {
  const entry = field.items === undefined ? [] : [`- each entry: ${escapeText(field.items.expected)}`];
  const facts = [
    `- value: ${escapeText(field.expected)}`,
    ...entry,
    `- default: ${defaultText(field)}`,
    ...optionText(field),
    `- since: ${field.since}`,
  ];
  return `## \`${field.path}\`\n\n${escapeText(field.help)}\n\n${facts.join("\n")}\n\n\`\`\`yaml\n${field.example}\n\`\`\``;
}

function optionText(field: Field): readonly string[] {
  if (field.option === undefined) return [];
  const { flag, argument, effect } = field.option;
  const often = field.items === undefined ? "" : ", once for each entry";
  const does = effect === "append" ? "adds to the list" : "takes the place of the field";
  return [`- option: \`${flag} <${argument}>\` ${does}${often}`];
}

function defaultText(field: Field): string {
  if (field.required) return "none; required";
  if (field.default === undefined) return "none";
  return `\`${stringify(field.default, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim()}\``;
}

function ownedArguments(): string {
  const rows = OWNED_KEYS.map(({ key, prefix, why }) => [`\`${key}${prefix ? "*" : ""}\``, why]);
  const title = "## Kernel arguments of the factory";
  const text =
    "No profile and no option adds or removes these. The command line as a whole holds at most " +
    `${COMMAND_LINE_MAX} characters.`;
  return [title, text, renderTable(["key", "because"], rows)].join("\n\n");
}

/** The name that Markdown renderers give a heading. */
function anchor(path: string): string {
  return path.toLowerCase().replaceAll(".", "");
}

/** Markdown reads "*" and "|" as more than characters. */
function escapeText(text: string): string {
  return text.replaceAll("*", "\\*").replaceAll("|", "\\|");
}
