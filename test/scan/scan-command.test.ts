// SPDX-License-Identifier: Apache-2.0
// dodeka scan as a program: databases of each shape, exit codes, SBOMs of other artifacts.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BOM, osvEntry } from "./osv-samples.ts";

const dir = mkdtempSync(join(tmpdir(), "scan-"));
after(() => rmSync(dir, { recursive: true }));
const MAIN = fileURLToPath(new URL("../../builder/main.ts", import.meta.url));

function put(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dodeka(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "scan", ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const sbom = put("bom.json", BOM);
const artifact = put("x.iso", "artifact");
const open = osvEntry("GO-1", { over: { database_specific: { severity: "MODERATE" } } });
const list = put("list.json", [open, osvEntry("GO-2", { events: [{ introduced: "1.0.0" }] })]);
mkdirSync(join(dir, "db/Go"), { recursive: true });
put("db/Go/GO-1.json", open);
put("db/notes.txt", "no entry");
mkdirSync(join(dir, "linked"));
symlinkSync(join(dir, "db/Go"), join(dir, "linked/Go"));

test("scan exits by --fail-on", async () => {
  const runs = ["any", "medium", "high", "never"].map(
    async (f) => (await dodeka(sbom, "--db", list, "--fail-on", f)).code,
  );
  assert.deepEqual(await Promise.all(runs), [1, 1, 0, 0]);
});

test("scan reads a directory, and prints JSON that other programs can use", async () => {
  const { code, stdout } = await dodeka(sbom, "--db", join(dir, "db"), "--format", "json");
  const { findings, entries } = JSON.parse(stdout) as { findings: { id: string }[]; entries: number };
  assert.deepEqual([code, entries, findings.map((f) => f.id)], [1, 1, ["GO-1"]]);
});

test("scan takes the SBOM beside an artifact only when it is about that artifact", async () => {
  const bom = (content: string): object => ({
    ...BOM,
    metadata: { component: { hashes: [{ alg: "SHA-256", content }] } },
  });
  put("x.iso.cdx.json", bom(createHash("sha256").update("artifact").digest("hex")));
  assert.equal((await dodeka(artifact, "--db", list, "--fail-on", "never")).code, 0);
  put("x.iso.cdx.json", bom("0".repeat(64)));
  const swapped = await dodeka(artifact, "--db", list, "--fail-on", "never");
  assert.equal(swapped.code, 76);
  assert.match(swapped.stderr, /that of x\.iso/);
});

test("scan applies statements from a file", async () => {
  const products = [{ "@id": "pkg:golang/golang.org/x/sys" }];
  const reason = { status: "not_affected", impact_statement: "never called" };
  const statements = [{ vulnerability: { name: "GO-1" }, products, ...reason }];
  const vex = put("vex.json", { "@context": "https://openvex.dev/ns/v0.2.0", statements });
  const { code, stdout } = await dodeka(sbom, "--db", list, "--vex", vex);
  assert.deepEqual([code, /0 open, 1 suppressed/.test(stdout), /never called/.test(stdout)], [0, true, true]);
});

const STALE: readonly (readonly [name: string, purl: string, id: string, found: RegExp])[] = [
  ["a component that is not there", "pkg:golang/example.org/none", "GO-1", /no such component/],
  ["another version", "pkg:golang/golang.org/x/sys@v0.1.0", "GO-1", /version 0\.30\.0/],
  ["what the database does not count as affected", "pkg:golang/stdlib", "GO-1", /not affected/],
];

for (const [name, purl, id, found] of STALE) {
  test(`scan shows the findings and fails for a statement about ${name}`, async () => {
    const why = { status: "not_affected", impact_statement: "never called" };
    const statements = [{ vulnerability: { name: id }, products: [{ "@id": purl }], ...why }];
    const vex = put("stale.json", { "@context": "https://openvex.dev/ns/v0.2.0", statements });
    const { code, stdout, stderr } = await dodeka(sbom, "--db", list, "--vex", vex, "--fail-on", "never");
    assert.deepEqual([code, /GO-1/.test(stdout)], [76, true], stderr);
    assert.match(stderr, found);
  });
}

test("scan says nothing of a statement whose vulnerability the database does not have", async () => {
  const why = { status: "under_investigation" };
  const statements = [{ vulnerability: { name: "GO-9" }, products: [{ "@id": "pkg:golang/stdlib" }], ...why }];
  const vex = put("unknown.json", { "@context": "https://openvex.dev/ns/v0.2.0", statements });
  assert.equal((await dodeka(sbom, "--db", list, "--vex", vex, "--fail-on", "never")).code, 0);
});

const UNUSABLE: readonly (readonly [name: string, args: readonly string[], code: number])[] = [
  ["no database", [sbom], 2],
  ["a database that is not there", [sbom, "--db", join(dir, "none")], 2],
  ["a database that is a device", [sbom, "--db", "/dev/zero"], 2],
  ["a database part of which is a link", [sbom, "--db", join(dir, "linked")], 2],
  ["an empty database", [sbom, "--db", put("empty.json", [])], 2],
  ["a database that is no OSV", [sbom, "--db", put("other.json", { a: 1 })], 76],
  ["a database that is nested too deep", [sbom, "--db", put("deep.json", "[".repeat(10_000))], 76],
  ["an artifact without an SBOM", [put("bare.iso", "x"), "--db", list], 2],
  ["an SBOM that is none", [put("none.json", {}), "--db", list], 76],
];

for (const [name, args, code] of UNUSABLE) {
  test(`scan refuses ${name}`, async () => assert.equal((await dodeka(...args)).code, code));
}
