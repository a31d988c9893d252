// SPDX-License-Identifier: Apache-2.0
// Finds an image that the command line names: in a registry (`oci://host/name:tag`) or in an OCI layout on disk
// (`oci-layout:DIR:tag`, `oci-layout:DIR@sha256:…`).
import { FactoryError } from "../errors.ts";
import { readIfPresent } from "../host/read-bounded.ts";
import { isSha256 } from "../layout/digest.ts";
import type { Credentials } from "../registry/credentials.ts";
import { parseCredentials } from "../registry/credentials.ts";
import { openHttp } from "../registry/http.ts";
import type { ImageSource } from "../registry/image-source.ts";
import { repositorySource } from "../registry/image-source.ts";
import type { Manifest } from "../registry/manifest.ts";
import { layoutSource } from "../registry/oci-layout.ts";
import { parseImageReference, repositoryName } from "../registry/reference.ts";
import type { Repository } from "../registry/registry.ts";
import { openRepository } from "../registry/registry.ts";
import type { CommandContext } from "./context.ts";

export interface OpenImage {
  /** As signatures name it: host and repository, or the layout's directory. */
  readonly name: string;
  readonly manifest: Manifest;
  readonly source: ImageSource;
  /** Undefined for a layout, to which nothing is pushed. */
  readonly repository: Repository | undefined;
}

const LAYOUT_SCHEME = "oci-layout:";
const MAX_CREDENTIAL_BYTES = 1 << 20;

/** True for what is no file and no address. */
export function isImage(target: string): boolean {
  return target.startsWith("oci://") || target.startsWith(LAYOUT_SCHEME);
}

/** Throws USAGE, NETWORK, REGISTRY_REFUSED, REGISTRY_INVALID. */
export async function openImage(context: CommandContext, target: string): Promise<OpenImage> {
  if (target.startsWith(LAYOUT_SCHEME)) return openLayout(target);
  const reference = parseImageReference(target);
  const http = openHttp({ signal: context.signal });
  const credentials = await loadCredentials(context);
  const repository = openRepository({ http, credentials }, reference.host, reference.repository);
  const source = repositorySource(repository);
  const { tag = "", digest } = reference;
  const manifest = await source.manifest(digest === undefined ? tag : `sha256:${digest}`);
  if (manifest === undefined) throw noImage(target);
  return { name: repositoryName(reference), manifest, source, repository };
}

async function openLayout(target: string): Promise<OpenImage> {
  const [, dir = "", tag, digest] = /^oci-layout:(.+?)(?::([\w.-]+)|@sha256:([0-9a-f]+))$/.exec(target) ?? [];
  if (tag === undefined && (digest === undefined || !isSha256(digest))) {
    throw new FactoryError({
      code: "USAGE",
      field: "image",
      found: target,
      expected: "oci-layout:DIR:tag or oci-layout:DIR@sha256:…",
      fix: "write the directory, and a tag or a digest",
    });
  }
  const source = await layoutSource(dir);
  const manifest = await source.manifest(tag ?? `sha256:${digest ?? ""}`);
  if (manifest === undefined) throw noImage(target);
  return { name: dir, manifest, source, repository: undefined };
}

/** None when there is no such file: many registries answer anybody. */
async function loadCredentials({ settings }: CommandContext): Promise<Credentials> {
  const file = settings.registryAuthFile;
  const bytes = await readIfPresent(file, MAX_CREDENTIAL_BYTES);
  return bytes === undefined ? new Map() : parseCredentials(bytes, file);
}

function noImage(target: string): FactoryError {
  return new FactoryError({
    code: "REGISTRY_REFUSED",
    file: target,
    field: "image",
    found: "none",
    expected: "an image of this name",
    fix: "correct the name, or push the image first",
  });
}
