// SPDX-License-Identifier: Apache-2.0
// The statement of a second builder: this artifact came out again, bit for bit, from what its provenance names. It says
// what was rebuilt (the release too, or only the assembly) and with which sources.
// Spec: in-toto attestation spec/v1; the predicate is our own.
import type { Sha256 } from "../layout/digest.ts";
import type { SourceInput } from "./provenance.ts";
import type { Statement, Subject } from "./statement.ts";

export const REBUILD_TYPE = "urn:dodeka:rebuild:v1";
/** `everything`: compiled and assembled in an empty store. `assembly`: from a compiled release. */
export const REBUILD_SCOPES = ["everything", "assembly"] as const;

export interface Rebuild {
  readonly subject: Subject;
  readonly scope: (typeof REBUILD_SCOPES)[number];
  /** SHA-256 of the provenance that was followed. */
  readonly provenance: Sha256;
  readonly planId: Sha256;
  readonly release: Sha256;
  readonly sources: readonly SourceInput[];
  readonly builder: { readonly dodeka: string; readonly node: string };
}

/** Only of a rebuild that gave equal bytes. */
export function rebuildStatement({
  subject,
  scope,
  provenance,
  planId,
  release,
  sources,
  builder,
}: Rebuild): Statement {
  const predicate = {
    result: "equal",
    scope,
    provenance: { digest: { sha256: provenance } },
    planId,
    release: { digest: { sha256: release } },
    sources: sources.map(({ name, digest }) => ({ name, digest: { sha256: digest } })),
    builder: { ...builder },
  };
  return { subject, predicateType: REBUILD_TYPE, predicate };
}
