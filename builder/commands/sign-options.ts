// SPDX-License-Identifier: Apache-2.0
// Who signs, as the command line says it: a key file, or an identity that a certificate authority vouches for.
// Passwords and tokens come from files or the environment, never from argv, where every process of the host sees them.
import { NO_WITNESS } from "../evidence/signer.ts";
import type { Signer } from "../evidence/signer.ts";
import { pemKeySource } from "../evidence/pem-key.ts";
import { readBounded } from "../host/read-bounded.ts";
import type { CommandContext } from "./context.ts";
import type { KeylessOptions } from "./sign-keyless.ts";

export type SigningOptions =
  | { readonly kind: "key"; readonly file: string; readonly passwordFile: string | undefined }
  | ({ readonly kind: "keyless"; readonly tokenFile: string } & Omit<KeylessOptions, "token">);

const MAX_SECRET_BYTES = 64 * 1024;

/** Throws KEY_INVALID; NETWORK when a signing service does not answer. */
export async function openSigner(context: CommandContext, options: SigningOptions): Promise<Signer> {
  switch (options.kind) {
    case "key": {
      const key = await pemKeySource(await readBounded(options.file, MAX_SECRET_BYTES), options.file, () =>
        readPassword(context, options.passwordFile),
      );
      context.reporter.note(`signing with ${key.describe}`);
      return { key, certificate: undefined, witness: NO_WITNESS };
    }
    case "keyless": {
      const { keylessSigner } = await import("./sign-keyless.ts");
      const token = Buffer.from(await readBounded(options.tokenFile, MAX_SECRET_BYTES))
        .toString("utf8")
        .trim();
      return keylessSigner({ ...options, token });
    }
    default:
      return options satisfies never;
  }
}

/** The line break that editors append to a file is not part of a password. Undefined when none is given anywhere. */
export async function readPassword(context: CommandContext, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return context.settings.keyPassword;
  return Buffer.from(await readBounded(file, MAX_SECRET_BYTES))
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
