// SPDX-License-Identifier: Apache-2.0
// Names of images and artifacts in registries, as the command line takes them: `oci://host[:port]/name:tag`,
// `oci://host/name@sha256:…`. The host is always said: no registry is the default one.
// Spec: OCI distribution-spec 1.1, "Pulling manifests" (names, tags); image-spec descriptor.md (digests).
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";

export interface ImageReference {
  /** With its port, when it has one. */
  readonly host: string;
  readonly repository: string;
  /** Undefined when only a digest was given. */
  readonly tag: string | undefined;
  /** What the manifest must have; undefined: whatever the tag names now. */
  readonly digest: Sha256 | undefined;
}

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:]{2,45}\])(?::\d{1,5})?$/i;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Throws USAGE. */
export function parseImageReference(text: string): ImageReference {
  const [, host = "", rest = ""] = /^oci:\/\/([^/]+)\/(.+)$/.exec(text) ?? [];
  const at = rest.indexOf("@");
  const named = at === -1 ? rest : rest.slice(0, at);
  const digest = at === -1 ? undefined : /^sha256:(.*)$/.exec(rest.slice(at + 1))?.[1];
  const colon = named.lastIndexOf(":");
  const repository = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const isDigest = at === -1 ? tag !== undefined : digest !== undefined && isSha256(digest);
  const isTag = tag === undefined || TAG.test(tag);
  if (HOST.test(host) && REPOSITORY.test(repository) && repository.length <= 255 && isTag && isDigest)
    return { host, repository, tag, digest: digest as Sha256 | undefined };
  throw new FactoryError({
    code: "USAGE",
    field: "image",
    found: text,
    expected: "oci://host/name:tag or oci://host/name@sha256:…",
    fix: "write the whole name; a tag or a digest must be there",
  });
}

/** `host/name`, as signatures name the place. */
export function repositoryName({ host, repository }: ImageReference): string {
  return `${host}/${repository}`;
}
