// SPDX-License-Identifier: Apache-2.0
// Who signs: a key that verifiers know, or one that a certificate speaks for. Apart from bundle.ts, since a build opens its
// signer long before it loads what writes bundles.
import type { Bundle } from "@sigstore/bundle";
import type { KeySource } from "./key-source.ts";

type Material = Bundle["verificationMaterial"];

export interface Signer {
  readonly key: KeySource;
  /** DER; undefined when verifiers know the key. */
  readonly certificate: Uint8Array | undefined;
  /** Log entries and timestamps for a signature; none when there is no witness. */
  readonly witness: (
    content: Bundle["content"],
  ) => Promise<Pick<Material, "tlogEntries" | "timestampVerificationData">>;
}

export const NO_WITNESS: Signer["witness"] = async () => ({ tlogEntries: [], timestampVerificationData: undefined });
