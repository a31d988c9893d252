// SPDX-License-Identifier: Apache-2.0
// The command line of evidence: `verify`, `sign`, and the signing options that `build` has too.
import type { Command } from "commander";
import { Option } from "commander";
import type { CommandContext, CommandResult } from "./context.ts";
import { FactoryError } from "../errors.ts";
import { KEY_TYPES } from "../evidence/kinds.ts";
import type { KeyType } from "../evidence/kinds.ts";
import type { SigningOptions } from "./sign-options.ts";

type Values = Readonly<Record<string, unknown>>;
type Finish = (result: CommandResult) => Promise<void>;

/** Shown by `verify --help`. */
export const POLICY_EXAMPLE = `\
  format: 1
  signers:                      # each signature must be that of one of these
    - key: release.pub          # paths are relative to the policy
    - identity: ci@example.org  # as the certificate says
      issuer: https://issuer.example.org
      trustedRoot: root.json    # sigstore's authorities and logs
  require: [checksum, signature, cdx, spdx, provenance]  # the default; also boot-test, rebuild
  minimumCoverage: 100          # percent of the content with an owner`;

export function addVerify(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command("verify")
    .argument("<file...>", "artifacts, also https://…, with evidence beside them; images: oci://…, oci-layout:…");
  command.description("check artifacts against their evidence, files offline, and say what that proves");
  command.option("--key <file>", "trust signatures of this public key; may be given more than once", collect);
  command.option("--policy <file>", "whom to trust and what to require; YAML");
  command.addHelpText("after", "\nExample:\n  dodeka verify out/metal-amd64.iso --key release.pub");
  command.addHelpText("after", `\nPolicy:\n${POLICY_EXAMPLE}`);
  command.action((files: string[], values: Values) =>
    finish(
      import("./verify.ts").then((m) =>
        m.runVerify(context, {
          files,
          policy: values["policy"] as string | undefined,
          keys: (values["key"] ?? []) as readonly string[],
        }),
      ),
    ),
  );
}

/** Of an option that may be given more than once. */
function collect(value: string, values: readonly string[] | undefined): readonly string[] {
  return [...(values ?? []), value];
}

export function addSign(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command("sign")
    .argument("<file...>", "artifacts; documents beside them are signed too; images: oci://…");
  command.description("sign artifacts and the evidence beside them, or an image in a registry");
  addSigningOptions(command);
  const statement = "attach a signed statement to an image: cdx, spdx, provenance or boot-test; more than once";
  command.option("--statement <kind=file>", statement, collect);
  command.addHelpText("after", "\nExample:\n  dodeka sign out/metal-amd64.iso --sign-key cosign.key");
  command.action((files: string[], values: Values) =>
    finish(
      Promise.all([import("./sign.ts"), import("./sign-image.ts")]).then(([m, image]) => {
        const signing = signingOptions(values);
        if (signing === undefined)
          throw wrongOptions("neither", "--sign-key, or --identity-token-file and --fulcio-url");
        const given = (values["statement"] ?? []) as readonly string[];
        const statements = given.map(image.parseAttachedStatement);
        return m.runSign(context, files, signing, statements);
      }),
    ),
  );
}

export function addKey(program: Command, context: CommandContext, finish: Finish): void {
  const group = program.command("key").description("make keys that sign");
  const generate = group.command("generate").description("write a key pair; nothing is overwritten");
  generate.option("-o, --out <path>", "path of both files, without .key and .pub", "dodeka");
  generate.addOption(new Option("--type <type>", "curve or size").choices(KEY_TYPES).default("p256"));
  generate.option("--key-password-file <file>", "password (else DODEKA_KEY_PASSWORD or COSIGN_PASSWORD)");
  generate.option("--plain", "without a password", false);
  generate.addHelpText("after", "\nExample:\n  dodeka key generate -o release --key-password-file password");
  generate.action((values: Values) =>
    finish(
      import("./key.ts").then((m) =>
        m.runKeyGenerate(context, {
          out: String(values["out"]),
          type: values["type"] as KeyType,
          passwordFile: values["keyPasswordFile"] as string | undefined,
          plain: values["plain"] === true,
        }),
      ),
    ),
  );
}

export function addSigningOptions(command: Command): void {
  command.option("--sign-key <file>", "sign with this private key: PEM (P-256, RSA) or cosign's");
  command.option("--key-password-file <file>", "its password (else DODEKA_KEY_PASSWORD or COSIGN_PASSWORD)");
  command.option("--identity-token-file <file>", "sign without a key: an OpenID Connect token for Fulcio");
  command.option("--fulcio-url <url>", "certificate authority for it");
  command.option("--rekor-url <url>", "transparency log for it");
  command.option("--timestamp-url <url>", "timestamp authority for it");
}

/** Undefined when nothing is to be signed. Throws USAGE for options that do not go together. */
export function signingOptions(values: Values): SigningOptions | undefined {
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [file, passwordFile] = [text("signKey"), text("keyPasswordFile")];
  const [tokenFile, fulcioUrl] = [text("identityTokenFile"), text("fulcioUrl")];
  const [rekorUrl, timestampUrl] = [text("rekorUrl"), text("timestampUrl")];
  const isKeyless = [tokenFile, fulcioUrl, rekorUrl, timestampUrl].some((value) => value !== undefined);
  if (file !== undefined && isKeyless) throw wrongOptions("both", "a key or an identity, not both");
  if (file !== undefined) return { kind: "key", file, passwordFile };
  if (passwordFile !== undefined) throw wrongOptions("--key-password-file", "--sign-key with it");
  if (!isKeyless) return undefined;
  if (tokenFile === undefined || fulcioUrl === undefined)
    throw wrongOptions("one of them", "--identity-token-file and --fulcio-url together");
  return { kind: "keyless", tokenFile, fulcioUrl, rekorUrl, timestampUrl };
}

function wrongOptions(found: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", field: "signing", found, expected, fix: "correct the options" });
}
