// SPDX-License-Identifier: Apache-2.0
// Validators that are not ours read the SBOMs of every kind of output: CycloneDX by Python's jsonschema with the official
// schemas, and by OWASP's Python library; SPDX by the Linux Foundation's library for Go. Each is shown a spoiled document too, so that silence means something.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePlan } from "../../builder/commands/build.ts";
import { blobSource } from "../../builder/commands/load-release.ts";
import { openDescriber } from "../../builder/commands/sbom-evidence.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { OUTPUT_KINDS } from "../../builder/profile/model.ts";
import { toCycloneDx } from "../../sbom/cyclonedx.ts";
import type { ComponentModel } from "../../sbom/model.ts";
import { releaseTexts } from "../../sbom/release-texts.ts";
import { toSpdx } from "../../sbom/spdx.ts";
import { openGo, runGo } from "../userland/go-box.ts";
import type { JudgeResult } from "./judge.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "validators-"));
after(() => rmSync(dir, { recursive: true }));
const SCRIPT = fileURLToPath(new URL("validate-cyclonedx.py", import.meta.url));
const SCHEMAS = ["bom-1.6", "bom-1.7", "cryptography-defs", "jsf-0.82", "spdx"];
const SPDX_READER = fileURLToPath(new URL("spdx-reader", import.meta.url));
const documents: string[] = [];
const spdx: { readonly file: string; readonly model: ComponentModel }[] = [];

before(async () => {
  const store = await openStore(readSettings().storeDir);
  const overrides = { outputs: OUTPUT_KINDS };
  const images = await makePlan(store, { profile: "metal", overrides, release: undefined });
  const describer = openDescriber(store, images.release, blobSource(store));
  for (const output of images.outputs) {
    const model = await describer.describe(images.plan, output, sha256(output.plan.file));
    const spdxFile = join(dir, `${output.plan.file}.spdx.json`);
    writeFileSync(spdxFile, toSpdx(model, releaseTexts(model)));
    spdx.push({ file: spdxFile, model });
    for (const specVersion of ["1.6", "1.7"] as const) {
      const file = join(dir, `${output.plan.file}.${specVersion}.json`);
      writeFileSync(file, toCycloneDx(model, releaseTexts(model, specVersion)));
      documents.push(file);
    }
  }
  mkdirSync(join(dir, "schemas"));
  const library = dirname(createRequire(import.meta.url).resolve("@cyclonedx/cyclonedx-library/package.json"));
  for (const name of SCHEMAS) {
    const file = `${name}.SNAPSHOT.schema.json`;
    copyFileSync(join(library, "res/schema", file), join(dir, "schemas", file));
  }
  copyFileSync(SCRIPT, join(dir, "validate.py"));
});

async function validate(files: readonly string[]): Promise<JudgeResult> {
  const run = await judge();
  return run(["python3", join(dir, "validate.py"), join(dir, "schemas"), ...files], [dir]);
}

async function readSpdx(files: readonly string[]): Promise<JudgeResult> {
  return runGo(await openGo(SPDX_READER), ["run", ".", ...files], [{ host: dir, inside: dir, writable: false }]);
}

test("both validators accept the CycloneDX documents of every output", async () => {
  assert.equal(documents.length, 2 * OUTPUT_KINDS.length);
  const { exitCode, stdout, stderr } = await validate(documents);
  assert.equal(exitCode, 0, stdout + stderr);
  assert.equal(stdout.match(/ 1\.6: jsonschema and cyclonedx$/gm)?.length, OUTPUT_KINDS.length, stdout);
  assert.equal(stdout.match(/ 1\.7: jsonschema/gm)?.length, OUTPUT_KINDS.length, stdout);
});

test("both validators see what is wrong in a document", async () => {
  const file = join(dir, "spoiled.json");
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    components: [{ type: "nonsense", name: "a" }],
  };
  writeFileSync(file, JSON.stringify(document));
  const { exitCode, stdout } = await validate([file]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^ {2}jsonschema: components\/0/m);
  assert.match(stdout, /^ {2}cyclonedx: /m);
});

test("the Linux Foundation's library reads the SPDX documents of every output as they were meant", async () => {
  const run = await readSpdx(spdx.map(({ file }) => file));
  assert.equal(run.exitCode, 0, run.stderr);
  const found = run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  assert.equal(found.length, OUTPUT_KINDS.length);
  for (const [i, { model }] of spdx.entries()) {
    const lines = model.files.map((f) => `${f.sha256} ./${f.path}\n`).sort();
    const { version, packages, files, described, fileList, licences } = found[i] ?? {};
    assert.equal(version, "SPDX-2.3");
    assert.equal(packages, 1 + model.components.length + model.formulation.length);
    assert.equal(files, model.files.length);
    assert.equal(described, model.artifact.digest);
    assert.equal(fileList, sha256(lines.join("")));
    assert.equal(licences, Object.keys(model.licences).length);
  }
});

test("the Linux Foundation's library sees a relationship that leads nowhere", async () => {
  const [first] = spdx;
  assert.ok(first !== undefined);
  const file = join(dir, "spoiled.spdx.json");
  writeFileSync(
    file,
    toSpdx(first.model, releaseTexts(first.model))
      .toString()
      .replace('"relatedSpdxElement":"SPDXRef-File-0"', '"relatedSpdxElement":"SPDXRef-X"'),
  );
  const { exitCode, stderr } = await readSpdx([file]);
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /\bX\b|SPDXRef-X/);
});
