// SPDX-License-Identifier: Apache-2.0
// What `dodeka verify` asks of evidence, from its options: a policy and the files that it names, or keys and defaults.
import { dirname, resolve } from "node:path";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { FactoryError } from "../errors.ts";
import type { Demands } from "../evidence/checks.ts";
import { parseJsonObject } from "../evidence/json.ts";
import { keyHint } from "../evidence/key-source.ts";
import { readPublicKey } from "../evidence/pem-key.ts";
import { DEFAULT_REQUIRED, parsePolicy } from "../evidence/policy.ts";
import type { PolicySigner } from "../evidence/policy.ts";
import type { TrustedSigner } from "../evidence/verify-bundle.ts";
import { readBounded } from "../host/read-bounded.ts";

export interface VerifyOptions {
  /** Files, addresses of files, images. */
  readonly files: readonly string[];
  readonly policy: string | undefined;
  /** Files of public keys; trusted besides the policy's signers. */
  readonly keys: readonly string[];
}

export interface AllDemands {
  /** Of files with evidence beside them. */
  readonly file: Demands;
  /** Of images: without a policy a signature is enough, since few carry more. */
  readonly image: Demands;
}

const MAX_SMALL_BYTES = 1 << 20; // policies, keys, trusted roots

/** Without key and policy: all that an unsigned build writes. Throws POLICY_INVALID, KEY_INVALID, USAGE. */
export async function readDemands({ policy: file, keys }: Omit<VerifyOptions, "files">): Promise<AllDemands> {
  const given = await Promise.all(keys.map((key) => openSigner({ kind: "key", file: key }, ".")));
  if (file === undefined) {
    const require = DEFAULT_REQUIRED.filter((kind) => given.length > 0 || kind !== "signature");
    const common = { signers: given, minimumCoverage: undefined };
    return { file: { ...common, require }, image: { ...common, require: given.length > 0 ? ["signature"] : [] } };
  }
  const policy = parsePolicy((await readBounded(file, MAX_SMALL_BYTES)).toString("utf8"), file);
  const signers = await Promise.all(policy.signers.map((signer) => openSigner(signer, dirname(file))));
  const demands = { ...policy, signers: [...signers, ...given] };
  return { file: demands, image: demands };
}

/** Files that a policy names are relative to it. */
async function openSigner(signer: PolicySigner, dir: string): Promise<TrustedSigner> {
  switch (signer.kind) {
    case "key": {
      const publicKey = readPublicKey(await readBounded(resolve(dir, signer.file), MAX_SMALL_BYTES), signer.file);
      return { kind: "key", name: signer.file, publicKey, hint: keyHint(publicKey) };
    }
    case "identity": {
      const { identity, issuer, thresholds, rootFile } = signer;
      const root = parseTrustedRoot(await readBounded(resolve(dir, rootFile), MAX_SMALL_BYTES), rootFile);
      return { kind: "identity", identity, issuer, thresholds, root };
    }
    default:
      return signer satisfies never;
  }
}

function parseTrustedRoot(bytes: Uint8Array, file: string): TrustedRoot {
  try {
    return TrustedRoot.fromJSON(parseJsonObject(bytes, file));
  } catch (cause) {
    const expected = "a trusted root of sigstore, as JSON";
    const fix = "correct the file";
    throw new FactoryError({ code: "POLICY_INVALID", file, field: "trustedRoot", expected, fix, cause });
  }
}
