// SPDX-License-Identifier: Apache-2.0
// What an installed machine is upgraded with: an OCI image layout in a tar archive, for any tool that copies images to
// registries. The image is an artifact with a layer for each file that a version has on the ESP, by its path; nothing in
// it is ever run or unpacked. Its name in the layout is the version.
// Spec: OCI image-spec 1.1 image-layout.md; manifest.md, "Guidelines for Artifact Usage".
import { createHash } from "node:crypto";
import { bug } from "../errors.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import { readLayout } from "../encode/read-layout.ts";
import { sha256 } from "../layout/digest.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { bytesLayout } from "../layout/extent.ts";
import type { Layout } from "../layout/extent.ts";
import type { Descriptor } from "../layout/oci-manifest.ts";
import { EMPTY_CONFIG, MANIFEST_TYPE, renderArtifactManifest, renderIndex } from "../layout/oci-manifest.ts";
import { layoutTar } from "../layout/tar.ts";
import type { PlanCore } from "../plan/core.ts";
import { outputFileName } from "../plan/plan.ts";
import { bootsByGrub, entryFiles, ukiPath, upgradeEntry } from "./boot-files.ts";
import type { PlannedOutput } from "./planned.ts";
import { placedFiles } from "./planned.ts";
import type { SmallParts } from "./small-parts.ts";
import { layoutUki, placedSections } from "./uki.ts";

const ARTIFACT_TYPE = "application/vnd.dodeka.installer.v1";
const FILE_TYPE = "application/vnd.dodeka.esp-file.v1";
const LAYOUT_MARKER = '{"imageLayoutVersion":"1.0.0"}';

/** Digest of the UKI that lies beside its root image: the one thing about an installer that its parts do not tell. */
export async function measureUki(core: PlanCore, parts: SmallParts, blobs: BlobSource): Promise<BlobRef> {
  const { layout } = layoutUki(core, parts);
  const hasher = createHash("sha256");
  for await (const chunk of readLayout(layout, blobs)) hasher.update(chunk);
  return { digest: hasher.digest("hex") as Sha256, size: layout.length };
}

/** `measured` is what `measureUki` says of this plan's. */
export function layoutInstaller(core: PlanCore, parts: SmallParts, measured: BlobRef): PlannedOutput {
  const uki = layoutUki(core, parts);
  if (uki.layout.length !== measured.size) throw bug("the UKI that was measured is another one");
  const entry = upgradeEntry(core, measured);
  const files = entryFiles(core, uki, { entry, hasGrub: bootsByGrub(core) });
  const known = new Map([
    [ukiPath(entry), measured],
    [`dodeka/${core.root.hash}.root`, core.parts.root],
  ]);
  const layers = files.map(({ path, content }) => ({ path, content, ref: known.get(path) ?? literalRef(content) }));
  const manifest = renderArtifactManifest({
    artifactType: ARTIFACT_TYPE,
    layers: layers.map(({ path, ref }) => describeFile(path, ref)),
    subject: undefined,
    annotations: { "org.opencontainers.image.version": core.version },
  });
  const described: Descriptor = {
    mediaType: MANIFEST_TYPE,
    ...bytesRef(manifest),
    artifactType: ARTIFACT_TYPE,
    annotations: { "org.opencontainers.image.ref.name": core.version },
  };
  const archive = layoutTar(
    [
      { path: "oci-layout", content: bytesLayout(Buffer.from(LAYOUT_MARKER)) },
      { path: "index.json", content: bytesLayout(renderIndex([described])) },
      { path: "blobs" },
      { path: "blobs/sha256" },
      { path: blobPath(described), content: bytesLayout(manifest) },
      { path: blobPath(bytesRef(EMPTY_CONFIG)), content: bytesLayout(EMPTY_CONFIG) },
      ...layers.map(({ content, ref }) => ({ path: blobPath(ref), content })),
    ],
    core.epochSeconds,
  );
  const carried = new Map(layers.map(({ path, ref }) => [blobPath(ref), path]));
  const placed = placedFiles(archive.files);
  return {
    layout: archive,
    plan: {
      kind: "installer",
      file: outputFileName(core, "installer"),
      size: archive.length,
      manifest: bytesRef(manifest),
      documents: placed.filter(({ name }) => !carried.has(name)),
      carried: {
        files: placed.flatMap((item) => {
          const name = carried.get(item.name);
          return name === undefined ? [] : [{ ...item, name }];
        }),
        uki: placedSections(uki.sections),
      },
    },
  };
}

function describeFile(path: string, { digest, size }: BlobRef): Descriptor {
  return { mediaType: FILE_TYPE, digest, size, annotations: { "org.opencontainers.image.title": path } };
}

function blobPath({ digest }: BlobRef): string {
  return `blobs/sha256/${digest}`;
}

function bytesRef(bytes: Uint8Array): BlobRef {
  return { digest: sha256(bytes), size: bytes.length };
}

/** Of a layout that is text. */
function literalRef({ extents: [extent, more] }: Layout): BlobRef {
  if (extent?.source.kind !== "bytes" || more !== undefined) throw bug("a file whose digest nobody knows");
  return bytesRef(extent.source.bytes);
}
