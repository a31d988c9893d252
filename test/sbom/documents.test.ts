// SPDX-License-Identifier: Apache-2.0
// CycloneDX and SPDX documents of every output kind, by the official schema where there is one here, and by what schemas
// do not see. SPDX's own schema is in no package that we have; its rules are checked in references.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";
import { sha256 } from "../../builder/layout/digest.ts";
import { toCycloneDx } from "../../sbom/cyclonedx.ts";
import { describeArtifact } from "../../sbom/describe.ts";
import type { ComponentModel } from "../../sbom/model.ts";
import { toSpdx } from "../../sbom/spdx.ts";
import { INVENTORY, OUTPUTS, PLAN, measure, outputOf } from "./model-samples.ts";
import type { CycloneDx, Spdx } from "./references.ts";
import { cycloneDxProblems, spdxProblems } from "./references.ts";

const validators = {
  "1.6": new JsonStrictValidator(Version.v1dot6),
  "1.7": new JsonStrictValidator(Version.v1dot7),
} as const;

function modelOf(kind: Parameters<typeof outputOf>[0]): ComponentModel {
  return describeArtifact(PLAN, outputOf(kind), INVENTORY, measure(outputOf(kind)));
}

const cyclone = (model: ComponentModel): CycloneDx => JSON.parse(toCycloneDx(model)) as CycloneDx;

for (const { kind } of OUTPUTS) {
  for (const specVersion of ["1.6", "1.7"] as const) {
    test(`${kind}: CycloneDX ${specVersion} follows the schema, its references lead somewhere`, async () => {
      const text = toCycloneDx(modelOf(kind), { specVersion });
      assert.equal(await validators[specVersion].validate(text), null);
      const bom = JSON.parse(text) as CycloneDx;
      assert.equal(bom.specVersion, specVersion);
      assert.deepEqual(cycloneDxProblems(bom), []);
    });
  }

  test(`${kind}: SPDX 2.3 keeps its rules`, () => {
    const document = JSON.parse(toSpdx(modelOf(kind))) as Spdx;
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
  const spdx = JSON.parse(toSpdx(modelOf("raw"))) as Spdx;
  assert.notDeepEqual(spdxProblems({ ...spdx, files: [] }), []);
  assert.notDeepEqual(spdxProblems({ ...spdx, hasExtractedLicensingInfos: [] }), []);
  assert.notDeepEqual(spdxProblems({ ...spdx, relationships: [] }), []);
});

test("both documents are bound to the artifact's digest and the plan's time", () => {
  const model = modelOf("raw");
  const bom = cyclone(model);
  assert.deepEqual(bom.metadata.component.hashes, [{ alg: "SHA-256", content: sha256("metal-amd64.raw") }]);
  assert.equal(bom.metadata.timestamp, "2026-11-20T02:11:10Z");
  const spdx = JSON.parse(toSpdx(model)) as Spdx;
  const artifact = spdx.packages.find((p) => p.SPDXID === spdx.documentDescribes[0]);
  assert.deepEqual(artifact?.["checksums"], [{ algorithm: "SHA256", checksumValue: sha256("metal-amd64.raw") }]);
  assert.equal(spdx.creationInfo.created, bom.metadata.timestamp);
  const other = { ...model, artifact: { ...model.artifact, digest: sha256("other") } };
  assert.notEqual(cyclone(other).serialNumber, bom.serialNumber);
  assert.notEqual((JSON.parse(toSpdx(other)) as Spdx).documentNamespace, spdx.documentNamespace);
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
  const text = toCycloneDx({ ...model, files, waived: [{ path: "root:sbin/init", reason: "made by hand" }] });
  const bom = JSON.parse(text) as CycloneDx;
  assert.deepEqual([bom.compositions[0]?.aggregate, cycloneDxProblems(bom)], ["incomplete", []]);
  assert.ok(text.includes("made by hand") && text.includes("file:root-amd64.img!sbin/init"));
  assert.equal(cyclone(model).compositions[0]?.aggregate, "complete");
});

test("bytes do not depend on locale, time zone or process", () => {
  const script = `
    import { INVENTORY, PLAN, measure, outputOf } from "./model-samples.ts";
    import { describeArtifact } from "../../sbom/describe.ts";
    import { toCycloneDx } from "../../sbom/cyclonedx.ts";
    import { toSpdx } from "../../sbom/spdx.ts";
    const model = describeArtifact(PLAN, outputOf("raw"), INVENTORY, measure(outputOf("raw")));
    process.stdout.write(toCycloneDx(model) + toSpdx(model));`;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const run = (env: Readonly<Record<string, string>>): string =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd, env, encoding: "utf8" });
  const here = toCycloneDx(modelOf("raw")) + toSpdx(modelOf("raw"));
  assert.equal(run({ LANG: "cs_CZ.UTF-8", LC_ALL: "cs_CZ.UTF-8", TZ: "Asia/Tokyo" }), here);
  assert.equal(run({ LC_ALL: "C", TZ: "America/New_York" }), here);
});
