// SPDX-License-Identifier: Apache-2.0
// A trust policy: who must have signed, and what must be there. YAML, as profiles are:
//   format: 1
//   signers:                        # each signature must be that of one of these
//     - key: release.pub            # PEM, relative to the policy
//     - identity: ci@example.org    # as in the certificate
//       issuer: https://issuer.example.org
//       trustedRoot: root.json      # sigstore's trusted root: authorities, logs
//       logEntries: 1               # these three are the defaults
//       certificateLogEntries: 1
//       timestamps: 1
//   require: [checksum, signature, cdx, spdx, provenance]
//   minimumCoverage: 100            # percent, as the SBOM states it
import { FactoryError } from "../errors.ts";
import { positionAt } from "../profile/position.ts";
import { readYaml } from "../profile/yaml-source.ts";
import type { Path, YamlSource } from "../profile/yaml-source.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { CHECK_KINDS } from "./kinds.ts";
import type { CheckKind } from "./kinds.ts";
import type { Thresholds } from "./verify-bundle.ts";

/** A signer as the policy names it; files are not opened yet. */
export type PolicySigner =
  | { readonly kind: "key"; readonly file: string }
  | {
      readonly kind: "identity";
      readonly identity: string;
      readonly issuer: string;
      readonly rootFile: string;
      readonly thresholds: Thresholds;
    };

export interface Policy {
  readonly signers: readonly PolicySigner[];
  readonly require: readonly CheckKind[];
  /** Percent; undefined when any will do. */
  readonly minimumCoverage: number | undefined;
}

/** What is required when a key is given and no policy: all that a signed build writes. */
export const DEFAULT_REQUIRED: readonly CheckKind[] = ["checksum", "signature", "cdx", "spdx", "provenance"];
const MAX_SIGNERS = 64;

/** Throws POLICY_INVALID with line and column of the first problem. */
export function parsePolicy(text: string, file: string): Policy {
  const source = readYaml(text);
  const [problem] = source.problems;
  if (problem !== undefined) {
    const { offset, field, found, expected, fix } = problem;
    throw new FactoryError({ code: "POLICY_INVALID", file, ...positionAt(text, offset), field, found, expected, fix });
  }
  return readPolicy(source, text, file);
}

type Refuse = (path: Path, found: unknown, expected: string) => FactoryError;

function readPolicy(source: YamlSource, text: string, file: string): Policy {
  const refuse: Refuse = (path, found, expected) =>
    new FactoryError({
      code: "POLICY_INVALID",
      file,
      ...positionAt(text, source.offsetOf(path, "value")),
      field: path.join("."),
      found,
      expected,
      fix: "correct the policy",
    });
  const { value } = source;
  if (!isObject(value)) throw refuse([], value, "the members format, signers and require");
  refuseUnknown(value, ["format", "signers", "require", "minimumCoverage"], [], refuse);
  if (value["format"] !== 1) throw refuse(["format"], value["format"], "1");
  const { signers, minimumCoverage } = value;
  if (!Array.isArray(signers) || signers.length === 0 || signers.length > MAX_SIGNERS)
    throw refuse(["signers"], signers, `a list of 1 to ${MAX_SIGNERS} signers`);
  if (minimumCoverage !== undefined && !isNumberIn(minimumCoverage, 0, 100))
    throw refuse(["minimumCoverage"], minimumCoverage, "percent, from 0 to 100");
  const require = readRequired(value["require"], refuse);
  if (minimumCoverage !== undefined && !require.includes("cdx"))
    throw refuse(["minimumCoverage"], minimumCoverage, '"cdx" in require, since the coverage stands there');
  return {
    signers: signers.map((signer: unknown, i) => readSigner(signer, ["signers", i], refuse)),
    require,
    minimumCoverage,
  };
}

function readSigner(value: unknown, path: Path, refuse: Refuse): PolicySigner {
  if (!isObject(value)) throw refuse(path, value, "a key, or identity, issuer and trustedRoot");
  const text = (name: string): string => {
    const found = value[name];
    if (typeof found === "string" && found !== "" && found.length <= 1024) return found;
    throw refuse([...path, name], found, "text");
  };
  if (value["key"] !== undefined) {
    refuseUnknown(value, ["key"], path, refuse);
    return { kind: "key", file: text("key") };
  }
  const counts = ["logEntries", "certificateLogEntries", "timestamps"] as const;
  refuseUnknown(value, ["identity", "issuer", "trustedRoot", ...counts], path, refuse);
  const [logEntries = 1, certificateLogEntries = 1, timestamps = 1] = counts.map((name) => {
    const found = value[name] ?? 1;
    const least = name === "timestamps" ? 1 : 0;
    if (isNumberIn(found, least, 16) && Number.isInteger(found)) return found;
    throw refuse([...path, name], found, `a whole number from ${least} to 16`);
  });
  const thresholds = { logEntries, certificateLogEntries, timestamps };
  return {
    kind: "identity",
    identity: text("identity"),
    issuer: text("issuer"),
    rootFile: text("trustedRoot"),
    thresholds,
  };
}

function readRequired(value: unknown, refuse: Refuse): readonly CheckKind[] {
  if (value === undefined) return DEFAULT_REQUIRED;
  const expected = `a list out of ${CHECK_KINDS.join(", ")}`;
  if (!Array.isArray(value)) throw refuse(["require"], value, expected);
  return value.map((name: unknown, i) => {
    const kind = CHECK_KINDS.find((known) => known === name);
    if (kind === undefined) throw refuse(["require", i], name, expected);
    return kind;
  });
}

/** A misspelt member must not be a requirement that nobody checks. */
function refuseUnknown(value: JsonObject, known: readonly string[], path: Path, refuse: Refuse): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw refuse([...path, unknown], unknown, `one of ${known.join(", ")}`);
}

function isNumberIn(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}
