// SPDX-License-Identifier: Apache-2.0
// Whatever the text, parseProfile returns a profile or throws FactoryErrors with places; nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { FactoryErrors } from "../../builder/errors.ts";
import { toDocument } from "../../builder/profile/complete.ts";
import { FIELDS } from "../../builder/profile/fields.ts";
import { complainAboutArgument } from "../../builder/profile/kernel-argument.ts";
import { ARCHES, OUTPUT_KINDS, PLATFORMS, SECTOR_SIZES } from "../../builder/profile/model.ts";
import type { MachineConfig, Profile } from "../../builder/profile/model.ts";
import { parseProfile } from "../../builder/profile/parse.ts";
import { errorToJson } from "../../builder/report/error-json.ts";
import { renderError } from "../../builder/report/error-text.ts";

function survives(text: string): void {
  try {
    parseProfile(text, "p.yaml");
  } catch (error) {
    assert.ok(error instanceof FactoryErrors, String(error));
    const offsets = error.problems.map(({ code, details }) => {
      assert.equal(code, "PROFILE_INVALID");
      assert.ok(details.line !== undefined && details.column !== undefined);
      const lines = text.split("\n");
      assert.equal(details.excerpt, (lines[details.line - 1] ?? "").replace(/\r$/, ""));
      assert.ok(details.column >= 1 && details.column <= (lines[details.line - 1] ?? "").length + 1);
      return details.line * 1e6 + details.column;
    });
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => a - b),
    );
    assert.doesNotMatch(renderError(error, { color: false }), /(?!\n)\p{Cc}/u);
    assert.equal(errorToJson(error).problems.length, error.problems.length);
  }
}

const names = [...new Set(FIELDS.flatMap(({ path }) => path.split(".")))];
const BRACKETS = ["\n", "  ", "\t", "- ", ": ", "? ", "{", "}", "[", "]", ", ", "'", '"', "|\n", ">\n", "#"];
const TRAPS = ["&a ", "*a", "!!str ", "---\n", "...\n", "%YAML 1.1\n", "<<: ", "\r\n", "\u2028", "é", "__proto__"];
const yamlPiece = fc.constantFrom(...BRACKETS, ...TRAPS, "null", "1", "512MiB");

test("parseProfile survives any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), survives), { numRuns: 300 });
  const soup = fc.array(fc.oneof(yamlPiece, fc.constantFrom(...names)), { maxLength: 40 });
  fc.assert(
    fc.property(soup, (pieces) => survives(pieces.join(""))),
    { numRuns: 1500 },
  );
});

test("parseProfile survives any data below the fields it knows", () => {
  const leaf = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(...names), fc.double(), fc.bigInt());
  const group = fc.dictionary(fc.constantFrom(...names, "x", "__proto__"), leaf, { maxKeys: 4 });
  const document = fc.dictionary(fc.constantFrom(...names, "x"), fc.oneof(leaf, group), { maxKeys: 8 });
  fc.assert(
    fc.property(document, (value) => survives(stringify(value))),
    { numRuns: 600 },
  );
});

// As JSON, which is YAML too: the YAML writer does not keep every text that consists of blanks.
test("a profile written down parses to itself", () => {
  const argument = fc.stringMatching(/^[a-z]{2,6}(=("[ !#-~]{0,9}"|[!#-~]{0,9}))?$/).filter((text) => {
    return complainAboutArgument(text) === undefined;
  });
  const config: fc.Arbitrary<MachineConfig> = fc.oneof(
    fc.constant<MachineConfig>({ kind: "none" }),
    fc.stringMatching(/^[a-z .]{0,4}x\/[a-z]{1,5}$/).map((path): MachineConfig => ({ kind: "file", path })),
    fc.stringMatching(/^[ -~\n]{1,40}$/).map((text): MachineConfig => ({ kind: "inline", text })),
  );
  const profile: fc.Arbitrary<Profile> = fc.record({
    format: fc.constant(1 as const),
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/),
    platform: fc.constantFrom(...PLATFORMS),
    arch: fc.constantFrom(...ARCHES),
    outputs: fc.subarray([...OUTPUT_KINDS], { minLength: 1 }),
    kernelArguments: fc.record({
      add: fc.uniqueArray(argument, { maxLength: 5 }),
      remove: fc.uniqueArray(argument, { maxLength: 5 }),
    }),
    console: fc.uniqueArray(fc.stringMatching(/^tty[A-Z]{0,3}[0-9](,[0-9]{2,6}n8)?$/), { maxLength: 8 }),
    disk: fc.record({
      espSizeBytes: fc.integer({ min: 34, max: 1024 * 1024 }).map((mib) => mib * 1024 * 1024),
      sectorSize: fc.constantFrom(...SECTOR_SIZES),
    }),
    machineConfig: config,
  });
  fc.assert(
    fc.property(profile, (want) =>
      assert.deepEqual(parseProfile(JSON.stringify(toDocument(want)), "p.yaml"), structuredClone(want)),
    ),
    { numRuns: 200 },
  );
});
