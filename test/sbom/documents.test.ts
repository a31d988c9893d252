// SPDX-License-Identifier: Apache-2.0
// CycloneDX and SPDX documents of every output kind, by the official schema where there is one here, and by what schemas
// do not see. SPDX's own schema is in no package that we have; its rules are checked in references.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as Serialize from "@cyclonedx/cyclonedx-library/Serialize";
import { Spec1dot6, Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";
import { sha256 } from "../../builder/layout/digest.ts";
import { cycloneComponent } from "../../sbom/cyclonedx-component.ts";
import { plainComponent, toCycloneDx } from "../../sbom/cyclonedx.ts";
import { KERNEL_ARGUMENTS, describeArtifact } from "../../sbom/describe.ts";
import type { ComponentModel } from "../../sbom/model.ts";
import { releaseTexts } from "../../sbom/release-texts.ts";
import { toSpdx } from "../../sbom/spdx.ts";
import { parseTexts, renderTexts } from "../../sbom/texts.ts";
import { INVENTORY, OUTPUTS, PLAN, component, measure, outputOf } from "./model-samples.ts";
import type { CycloneDx, Spdx } from "./references.ts";
import { cycloneDxProblems, spdxProblems } from "./references.ts";

const validators = {
  "1.6": new JsonStrictValidator(Version.v1dot6),
  "1.7": new JsonStrictValidator(Version.v1dot7),
} as const;

function modelOf(kind: Parameters<typeof outputOf>[0]): ComponentModel {
  return describeArtifact(PLAN, outputOf(kind), INVENTORY, measure(outputOf(kind)));
}

const TEXTS = releaseTexts(INVENTORY);
const cycloneText = (model: ComponentModel): string => toCycloneDx(model, TEXTS).toString();
const spdxText = (model: ComponentModel): string => toSpdx(model, TEXTS).toString();
const cyclone = (model: ComponentModel): CycloneDx => JSON.parse(cycloneText(model)) as CycloneDx;

for (const { kind } of OUTPUTS) {
  for (const specVersion of ["1.6", "1.7"] as const) {
    test(`${kind}: CycloneDX ${specVersion} follows the schema, its references lead somewhere`, async () => {
      const text = toCycloneDx(modelOf(kind), releaseTexts(INVENTORY, specVersion)).toString();
      assert.equal(await validators[specVersion].validate(text), null);
      const bom = JSON.parse(text) as CycloneDx;
      assert.equal(bom.specVersion, specVersion);
      assert.deepEqual(cycloneDxProblems(bom), []);
    });
  }

  test(`${kind}: SPDX 2.3 keeps its rules`, () => {
    const document = JSON.parse(spdxText(modelOf(kind))) as Spdx;
    assert.equal(document.spdxVersion, "SPDX-2.3");
    assert.deepEqual(spdxProblems(document), []);
  });
}

test("the checks of references see what is wrong", () => {
  const bom = cyclone(modelOf("raw"));
  const [first] = bom.components;
  assert.ok(first !== undefined);
  const wrong = {
    ...bom,
    components: [...bom.components, first, { type: "file" }],
    dependencies: [{ ref: "no", dependsOn: [] }],
  };
  const found = cycloneDxProblems(wrong).map((p) => p.split(":", 1)[0]);
  assert.deepEqual(new Set(found), new Set(["no bom-ref", "twice", "leads nowhere"]));
  const spdx = JSON.parse(spdxText(modelOf("raw"))) as Spdx;
  assert.notDeepEqual(spdxProblems({ ...spdx, files: [] }), []);
  assert.notDeepEqual(spdxProblems({ ...spdx, hasExtractedLicensingInfos: [] }), []);
  assert.notDeepEqual(spdxProblems({ ...spdx, relationships: [] }), []);
});

test("both documents are bound to the artifact's digest and the plan's time", () => {
  const model = modelOf("raw");
  const bom = cyclone(model);
  assert.deepEqual(bom.metadata.component.hashes, [{ alg: "SHA-256", content: sha256("metal-amd64.raw") }]);
  assert.equal(bom.metadata.timestamp, "2026-11-20T02:11:10Z");
  const spdx = JSON.parse(spdxText(model)) as Spdx;
  const artifact = spdx.packages.find((p) => p.SPDXID === spdx.documentDescribes[0]);
  assert.deepEqual(artifact?.["checksums"], [{ algorithm: "SHA256", checksumValue: sha256("metal-amd64.raw") }]);
  assert.equal(spdx.creationInfo.created, bom.metadata.timestamp);
  const other = { ...model, artifact: { ...model.artifact, digest: sha256("other") } };
  assert.notEqual(cyclone(other).serialNumber, bom.serialNumber);
  assert.notEqual((JSON.parse(spdxText(other)) as Spdx).documentNamespace, spdx.documentNamespace);
});

test("every file stands in its owner, with digest, mode and size", () => {
  const init = cyclone(modelOf("root")).components.find((c) => c["bom-ref"] === "binary:init");
  assert.deepEqual(init?.components, [
    {
      type: "file",
      "bom-ref": "file:root-amd64.img!sbin/init",
      name: "root-amd64.img!sbin/init",
      hashes: [
        { alg: "SHA-1", content: modelOf("root").files.find((f) => f.path.endsWith("sbin/init"))?.sha1 },
        { alg: "SHA-256", content: sha256("root sbin/init") },
      ],
      properties: [
        { name: "dodeka:mode", value: "0755" },
        { name: "dodeka:size", value: "14" },
      ],
    },
  ]);
});

test("scanners find package URLs, CPEs and licences", () => {
  const { components } = cyclone(modelOf("raw"));
  const sys = components.find((c) => c["purl"] === "pkg:golang/golang.org/x/sys@v1");
  assert.deepEqual([sys?.["group"], sys?.["name"], sys?.["version"]], ["golang.org/x", "sys", "1"]);
  assert.ok(components.some((c) => c["cpe"] === "cpe:2.3:o:linux:linux_kernel:6.12.1:*:*:*:*:*:*:*"));
  assert.deepEqual(components.find((c) => c["bom-ref"] === "grub")?.["licenses"], [
    { expression: "LicenseRef-odd AND MIT" },
  ]);
});

test("a waiver makes the composition incomplete, and says why", () => {
  const model = modelOf("root");
  const files = model.files.map((f) => (f.path.endsWith("sbin/init") ? { ...f, owner: "" } : f));
  const text = cycloneText({ ...model, files, waived: [{ path: "root:sbin/init", reason: "made by hand" }] });
  const bom = JSON.parse(text) as CycloneDx;
  assert.deepEqual([bom.compositions[0]?.aggregate, cycloneDxProblems(bom)], ["incomplete", []]);
  assert.ok(text.includes("made by hand") && text.includes("file:root-amd64.img!sbin/init"));
  assert.equal(cyclone(model).compositions[0]?.aggregate, "complete");
});

test("the artifact and what a profile adds are written as the library writes components", () => {
  const { components } = cyclone(modelOf("raw"));
  const known = modelOf("raw").components.find((c) => c.id === KERNEL_ARGUMENTS);
  assert.ok(known !== undefined);
  const library = new Serialize.JSON.Normalize.Factory(Spec1dot6).makeForComponent();
  const samples = [known, { ...known, kind: "firmware", facts: { size: "7", empty: "", target: "x" } } as const];
  for (const sample of samples) {
    const expected = library.normalize(cycloneComponent(sample), { sortLists: false });
    assert.equal(JSON.stringify(plainComponent(sample)), JSON.stringify(expected));
  }
  const found = components.find((c) => c["bom-ref"] === KERNEL_ARGUMENTS);
  assert.deepEqual(
    { ...found, components: undefined },
    { ...(plainComponent(known) as object), components: undefined },
  );
});

test("a component of a release that has no text of it is refused, not written without licence and names", () => {
  const model = modelOf("raw");
  const strange = {
    ...model,
    components: [...model.components, component("strange", { purl: "pkg:generic/strange@1" })],
  };
  assert.throws(() => toCycloneDx(strange, TEXTS), { code: "BUG" });
});

test("texts of a release are read back as they were written", () => {
  assert.deepEqual(parseTexts(renderTexts(TEXTS)), TEXTS);
  assert.throws(() => parseTexts(renderTexts(TEXTS).subarray(0, -1)), { code: "BUG" });
});

test("bytes do not depend on locale, time zone or process", () => {
  const script = `
    import { INVENTORY, PLAN, measure, outputOf } from "./model-samples.ts";
    import { describeArtifact } from "../../sbom/describe.ts";
    import { toCycloneDx } from "../../sbom/cyclonedx.ts";
    import { releaseTexts } from "../../sbom/release-texts.ts";
    import { toSpdx } from "../../sbom/spdx.ts";
    const model = describeArtifact(PLAN, outputOf("raw"), INVENTORY, measure(outputOf("raw")));
    const texts = releaseTexts(INVENTORY);
    process.stdout.write(toCycloneDx(model, texts) + toSpdx(model, texts));`;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const run = (env: Readonly<Record<string, string>>): string =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd, env, encoding: "utf8" });
  const here = cycloneText(modelOf("raw")) + spdxText(modelOf("raw"));
  assert.equal(run({ LANG: "cs_CZ.UTF-8", LC_ALL: "cs_CZ.UTF-8", TZ: "Asia/Tokyo" }), here);
  assert.equal(run({ LC_ALL: "C", TZ: "America/New_York" }), here);
});
