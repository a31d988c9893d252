// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeSbat } from "../../builder/layout/sbat.ts";

const OWN = "sbat,1,SBAT Version,sbat,1,https://example.org\nstub,1,Stub,stub,257,https://example.org\n";
const MERGED: readonly (readonly [name: string, own: string, extra: string, want: string])[] = [
  ["appends lines", OWN, "os,1,OS\n", `${OWN}os,1,OS\n`],
  ["drops the other header", OWN, "sbat,9,Other\nos,1,OS\n", `${OWN}os,1,OS\n`],
  ["drops a line that is there already", OWN, `${OWN}os,1,OS`, `${OWN}os,1,OS\n`],
  ["adds a missing last newline and drops padding", OWN.trimEnd() + "\0\0", "os,2,\0", `${OWN}os,2,\n`],
  ["takes nothing to add", OWN, "", OWN],
];

for (const [name, own, extra, want] of MERGED) {
  test(`mergeSbat ${name}`, () => {
    assert.equal(Buffer.from(mergeSbat(Buffer.from(own), Buffer.from(extra))).toString(), want);
  });
}

const REFUSED: readonly (readonly [name: string, own: string, extra: string])[] = [
  ["own data without a header", "stub,1,Stub\n", ""],
  ["no own data", "", "os,1,OS\n"],
  ["a line without a generation", OWN, "os,one,OS\n"],
  ["a character outside ASCII", OWN, "ös,1,OS\n"],
];

for (const [name, own, extra] of REFUSED) {
  test(`mergeSbat refuses ${name}`, () => {
    assert.throws(() => mergeSbat(Buffer.from(own), Buffer.from(extra)), { code: "FORMAT_INVALID" });
  });
}
