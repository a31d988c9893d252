// SPDX-License-Identifier: Apache-2.0
// A small artifact with everything that may lie beside it, signed and trusted.
import { createVerify, generateKeyPairSync } from "node:crypto";
import { statementBytes } from "../../builder/evidence/attest.ts";
import { bootTestStatement } from "../../builder/evidence/boot-test.ts";
import { renderBundle, signArtifact, signStatement } from "../../builder/evidence/bundle.ts";
import { NO_WITNESS } from "../../builder/evidence/signer.ts";
import type { Signer } from "../../builder/evidence/signer.ts";
import type { EvidenceSet } from "../../builder/evidence/checks.ts";
import { keyHint } from "../../builder/evidence/key-source.ts";
import { REBUILD_SUFFIX, STATEMENT_KINDS, attestationSuffix, documentSuffix } from "../../builder/evidence/kinds.ts";
import { privateKeySource } from "../../builder/evidence/pem-key.ts";
import type { ProvenanceRequest } from "../../builder/evidence/provenance.ts";
import { provenanceStatement } from "../../builder/evidence/provenance.ts";
import { rebuildStatement } from "../../builder/evidence/rebuild.ts";
import { renderStatement } from "../../builder/evidence/statement.ts";
import type { TrustedSigner } from "../../builder/evidence/verify-bundle.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Plan } from "../../builder/plan/plan.ts";

export const ARTIFACT: Buffer = Buffer.from("console=ttyS0 panic=30");
export const NAME = "cmdline-metal-amd64";

const blob = { digest: sha256("part"), size: 4 };

export const PLAN: Plan = {
  format: 1,
  seed: sha256("seed"),
  core: {
    version: "0.1.0",
    platform: "metal",
    arch: "amd64",
    epochSeconds: 1_795_140_670,
    kernel: { release: "6.12.117", nxCompatible: true },
    root: { hash: sha256("root"), dataBlocks: 7 },
    parts: {
      kernel: blob,
      initramfs: blob,
      root: blob,
      "uki-stub": blob,
      "systemd-boot": blob,
      "grub-boot": blob,
      "grub-core": blob,
      "grub-cd": blob,
      "grub-hybrid": blob,
      "os-release": blob,
    },
    commandLine: ARTIFACT.toString(),
    machineConfig: null,
    disk: { espBytes: 536_870_912, sectorBytes: 512 },
  },
  outputs: [{ kind: "cmdline", file: NAME, size: ARTIFACT.length, text: ARTIFACT.toString() }],
};

export function provenanceRequest(artifact: Uint8Array = ARTIFACT): ProvenanceRequest {
  return {
    subject: { name: NAME, digest: sha256(artifact) },
    plan: PLAN,
    profile: { name: "metal.yaml", text: "format: 1\nname: metal\n" },
    overrides: { outputs: ["cmdline"] },
    release: {
      digest: sha256("release"),
      version: "0.1.0",
      parts: { kernel: { ...blob, licence: "GPL-2.0-only", origin: ["deb:linux-image@6.12.117-1"] } },
    },
    packages: [
      { name: "libstdc++6", version: "2:14.2.0-19+b1", arch: "amd64", path: "pool/l.deb", sha256: sha256("deb") },
    ],
    sources: [{ name: "package-lock.json", digest: sha256("lock") }],
    builder: { dodeka: "0.1.0", node: { version: "24.21.0", sha512: "ab".repeat(64) } },
    byproducts: [],
  };
}

export function cycloneDx(artifact: Uint8Array, coverage: string = "99.5%"): object {
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    metadata: {
      component: {
        name: NAME,
        hashes: [{ alg: "SHA-256", content: sha256(artifact) }],
        properties: [{ name: "dodeka:coverage", value: coverage }],
      },
    },
    components: [{ name: "linux" }],
  };
}

export function spdx(artifact: Uint8Array): object {
  return {
    spdxVersion: "SPDX-2.3",
    packages: [
      { SPDXID: "SPDXRef-a", checksums: [{ algorithm: "SHA256", checksumValue: sha256(artifact) }] },
      { SPDXID: "SPDXRef-linux" },
      { SPDXID: "SPDXRef-compiler" },
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-a" },
      { spdxElementId: "SPDXRef-compiler", relationshipType: "BUILD_TOOL_OF", relatedSpdxElement: "SPDXRef-a" },
    ],
  };
}

/** A fresh P-256 key as signer and as what a policy trusts. */
export function keyPair(name: string): { signer: Signer; trusted: TrustedSigner } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKeySource(privateKey, name);
  const trusted: TrustedSigner = { kind: "key", name, publicKey: key.publicKey, hint: keyHint(key.publicKey) };
  return { signer: { key, certificate: undefined, witness: NO_WITNESS }, trusted };
}

/** All files of evidence by suffix. */
export async function makeEvidence(signer: Signer, artifact: Buffer = ARTIFACT): Promise<Map<string, Buffer>> {
  const subject = { name: NAME, digest: sha256(artifact) };
  const [cdx, spdxText] = [cycloneDx(artifact), spdx(artifact)].map((document) => JSON.stringify(document));
  const byproducts = [
    { name: `${NAME}.cdx.json`, digest: sha256(cdx ?? "") },
    { name: `${NAME}.spdx.json`, digest: sha256(spdxText ?? "") },
  ];
  const machine = { firmware: "uefi", attachment: "disk", memoryMib: 1024, accelerator: "tcg" } as const;
  const seen = { phases: ["stage1", "init"], readyLine: "dodeka: ready", poweredOff: true, log: sha256("log") };
  const software = [{ name: "ovmf", version: "2025.02-8", digest: sha256("ovmf") }];
  const files = new Map<string, Buffer>([
    [".sha256", Buffer.from(`${subject.digest}  ${NAME}\n`)],
    [".cdx.json", Buffer.from(cdx ?? "")],
    [".spdx.json", Buffer.from(spdxText ?? "")],
    [
      ".provenance.json",
      Buffer.from(renderStatement(provenanceStatement({ ...provenanceRequest(artifact), byproducts }))),
    ],
    [".boot-test.json", Buffer.from(renderStatement(bootTestStatement(subject, [{ machine, software, seen }])))],
    [".sigstore.json", Buffer.from(renderBundle(await signArtifact(subject.digest, signer)))],
  ]);
  for (const kind of STATEMENT_KINDS) {
    const payload = statementBytes(kind, subject, files.get(documentSuffix(kind)) ?? Buffer.alloc(0), kind);
    files.set(attestationSuffix(kind), Buffer.from(renderBundle(await signStatement(payload, signer))));
  }
  files.set(REBUILD_SUFFIX, Buffer.from(await makeRebuild(signer, files, artifact)));
  return files;
}

/** What a second builder says who followed the provenance among `files`. */
export async function makeRebuild(
  signer: Signer,
  files: ReadonlyMap<string, Buffer>,
  artifact: Buffer = ARTIFACT,
): Promise<string> {
  const statement = rebuildStatement({
    subject: { name: NAME, digest: sha256(artifact) },
    scope: "everything",
    provenance: sha256(files.get(documentSuffix("provenance")) ?? ""),
    planId: sha256("plan"),
    release: sha256("release"),
    sources: [],
    builder: { dodeka: "0.1.0", node: "24.21.0" },
  });
  return renderBundle(await signStatement(Buffer.from(renderStatement(statement)), signer));
}

/** As a verifier reads it: each call with a Verify of its own, since one gives one verdict. */
export function evidenceSet(files: ReadonlyMap<string, Uint8Array>, artifact: Buffer = ARTIFACT): EvidenceSet {
  const verify = createVerify("sha256");
  verify.update(artifact);
  return { name: NAME, size: artifact.length, artifact: { digest: sha256(artifact), verify }, files };
}
