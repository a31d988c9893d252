// SPDX-License-Identifier: Apache-2.0
// dodeka key generate: writes `<out>.key` and `<out>.pub`, over nothing that is there.
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { FactoryError } from "../errors.ts";
import { generateKeyFiles } from "../evidence/generate-key.ts";
import type { KeyType } from "../evidence/kinds.ts";
import { createFile } from "../host/new-file.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { readPassword } from "./sign-options.ts";

export interface KeyOptions {
  /** Path without an ending. */
  readonly out: string;
  readonly type: KeyType;
  readonly passwordFile: string | undefined;
  /** Said aloud, so that a key lies open on purpose only. */
  readonly plain: boolean;
}

/** Throws USAGE when neither a password nor `plain` is given, or both; OUTPUT_UNWRITABLE. */
export async function runKeyGenerate(context: CommandContext, options: KeyOptions): CommandResult {
  const { out, type, passwordFile, plain } = options;
  const password = await readPassword(context, passwordFile);
  if (plain === (password !== undefined)) throw unclear(plain);
  const { privateKey, publicKey } = generateKeyFiles(type, password, randomBytes);
  await createFile(`${out}.key`, privateKey, 0o600);
  await createFile(`${out}.pub`, publicKey, 0o644).catch(async (error: unknown) => {
    await rm(`${out}.key`, { force: true }); // half a pair is worse than none
    throw error;
  });
  context.print(`${out}.key\n${out}.pub\n`, { privateKey: `${out}.key`, publicKey: `${out}.pub` });
  return undefined;
}

function unclear(plain: boolean): FactoryError {
  return new FactoryError({
    code: "USAGE",
    field: "password",
    found: plain ? "a password and --plain" : "none",
    expected:
      "a password (--key-password-file, DODEKA_KEY_PASSWORD, COSIGN_PASSWORD), or --plain for a key without one",
    fix: "give one of them",
  });
}
