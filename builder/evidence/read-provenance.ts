// SPDX-License-Identifier: Apache-2.0
// Reads a provenance back: what is needed to build again, and whether the statement agrees with itself. What another
// factory wrote (another build type) is refused, since nobody here knows what its parameters mean.
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256, sha256 } from "../layout/digest.ts";
import { canonicalJson } from "../plan/canonical-json.ts";
import type { Plan } from "../plan/plan.ts";
import type { ProfileOverrides } from "../profile/overrides.ts";
import type { JsonObject } from "./json.ts";
import { invalidEvidence, isObject, memberAt } from "./json.ts";
import { BUILD_TYPE } from "./provenance.ts";
import type { Statement, Subject } from "./statement.ts";
import { isFileName } from "./statement.ts";

export interface ResolvedDependency {
  readonly name: string;
  /** Undefined for what its own registry locks by SHA-512. */
  readonly digest: Sha256 | undefined;
  readonly uri: string | undefined;
}

export interface Provenance {
  readonly subject: Subject;
  /** `text` as it was; `name` is only for messages, never a path to open. */
  readonly profile: { readonly name: string; readonly text: string };
  /** Not checked further: applying them to the profile does that. */
  readonly overrides: ProfileOverrides;
  readonly machineConfig: Sha256 | null;
  readonly release: Sha256;
  readonly planId: Sha256;
  /** Its canonical JSON has the SHA-256 `planId`; its members are not checked beyond the entry for the subject. */
  readonly plan: Plan;
  /** Bytes of the artifact, as the plan says. */
  readonly size: number;
  readonly builder: { readonly dodeka: string; readonly node: string };
  /** By name, which is unique. */
  readonly dependencies: ReadonlyMap<string, ResolvedDependency>;
  readonly byproducts: ReadonlyMap<string, ResolvedDependency>;
}

const MAX_PROFILE_CHARACTERS = 256 * 1024;
const MAX_DEPENDENCIES = 10_000;

/** Throws EVIDENCE_INVALID with the field that is wrong. The caller has checked kind and subject. */
export function readProvenance({ subject, predicate }: Statement, file: string): Provenance {
  const read = readerOf(predicate, file);
  const definition = "buildDefinition";
  read.expect(`${definition}.buildType`, BUILD_TYPE);
  const planId = read.digest(`${definition}.internalParameters.planId`);
  const plan = read.object(`${definition}.internalParameters.plan`);
  const external = `${definition}.externalParameters`;
  read.expect("runDetails.metadata.invocationId", `urn:dodeka:plan:${planId}`);
  read.expect(`${external}.output`, subject.name);
  return {
    subject,
    profile: {
      name: read.text(`${external}.profile.name`, 1024),
      text: read.text(`${external}.profile.text`, MAX_PROFILE_CHARACTERS),
    },
    overrides: readOverrides(read.object(`${external}.overrides`), file),
    machineConfig: read.isNull(`${external}.machineConfig`)
      ? null
      : read.digest(`${external}.machineConfig.digest.sha256`),
    release: read.digest(`${external}.release.digest.sha256`),
    planId,
    plan: expectPlan(plan, planId, file),
    size: plannedSize(plan, subject.name, file),
    builder: {
      dodeka: read.text("runDetails.builder.version.dodeka", 64),
      node: read.text("runDetails.builder.version.node", 64),
    },
    dependencies: readResources(read.list(`${definition}.resolvedDependencies`), file),
    byproducts: readResources(read.list("runDetails.byproducts"), file),
  };
}

interface Reader {
  readonly expect: (path: string, expected: string) => void;
  readonly text: (path: string, max: number) => string;
  readonly digest: (path: string) => Sha256;
  readonly object: (path: string) => JsonObject;
  readonly list: (path: string) => readonly unknown[];
  readonly isNull: (path: string) => boolean;
}

function readerOf(predicate: JsonObject, file: string): Reader {
  const refuse = (path: string, expected: string): never => {
    throw invalidEvidence(file, `predicate.${path}`, memberAt(predicate, path), expected);
  };
  return {
    expect: (path, expected) => void (memberAt(predicate, path) === expected || refuse(path, expected)),
    text: (path, max) => {
      const value = memberAt(predicate, path);
      return typeof value === "string" && value.length <= max
        ? value
        : refuse(path, `text of at most ${max} characters`);
    },
    digest: (path) => {
      const value = memberAt(predicate, path);
      return typeof value === "string" && isSha256(value) ? value : refuse(path, "64 lower-case hexadecimal digits");
    },
    object: (path) => {
      const value = memberAt(predicate, path);
      return isObject(value) ? value : refuse(path, "an object");
    },
    list: (path) => {
      const value = memberAt(predicate, path);
      return Array.isArray(value) && value.length <= MAX_DEPENDENCIES ? value : refuse(path, "a list");
    },
    isNull: (path) => memberAt(predicate, path) === null,
  };
}

/** Options are texts or lists of texts; which exist, and what they may hold, is the profile's business. */
function readOverrides(overrides: JsonObject, file: string): ProfileOverrides {
  for (const [key, value] of Object.entries(overrides)) {
    const texts = Array.isArray(value) ? (value as unknown[]) : [value];
    if (texts.every((text) => typeof text === "string")) continue;
    throw invalidEvidence(file, `overrides.${key}`, value, "text, or a list of texts");
  }
  return overrides;
}

/** The plan is named by its digest, so a changed plan under an old name shows. */
function expectPlan(plan: JsonObject, expected: Sha256, file: string): Plan {
  const found = digestOf(plan, file);
  if (found !== expected) throw invalidEvidence(file, "internalParameters.plan", `SHA-256 ${found}`, expected);
  return plan as unknown as Plan;
}

function digestOf(plan: JsonObject, file: string): Sha256 {
  try {
    return sha256(canonicalJson(plan));
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    throw invalidEvidence(file, "internalParameters.plan", error.details.field, "a plan");
  }
}

function plannedSize(plan: JsonObject, name: string, file: string): number {
  const outputs = plan["outputs"];
  const output = Array.isArray(outputs) ? outputs.find((o) => memberAt(o, "file") === name) : undefined;
  const size = memberAt(output, "size");
  if (typeof size === "number") return size;
  throw invalidEvidence(
    file,
    "internalParameters.plan.outputs",
    outputs === undefined ? "none" : "no such output",
    name,
  );
}

function readResources(entries: readonly unknown[], file: string): ReadonlyMap<string, ResolvedDependency> {
  const resources = new Map<string, ResolvedDependency>();
  for (const entry of entries) {
    const [name, digest, sha512, uri] = ["name", "digest.sha256", "digest.sha512", "uri"].map((p) =>
      memberAt(entry, p),
    );
    const isNamed = typeof name === "string" && name.split("/").every(isFileName);
    if (!isNamed) throw invalidEvidence(file, "resource", name, "a name");
    const isLocked = typeof sha512 === "string" && /^[0-9a-f]{128}$/.test(sha512);
    if (digest === undefined ? !isLocked : typeof digest !== "string" || !isSha256(digest))
      throw invalidEvidence(file, `resource ${name}`, digest, "a SHA-256 or SHA-512");
    if (resources.has(name)) throw invalidEvidence(file, `resource ${name}`, "twice", "each resource once");
    resources.set(name, { name, digest: digest as Sha256 | undefined, uri: typeof uri === "string" ? uri : undefined });
  }
  return resources;
}
