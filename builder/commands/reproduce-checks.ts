// SPDX-License-Identifier: Apache-2.0
// What must hold before a rebuild is worth its minutes: the checkout is the one that the provenance names.
import { FactoryError, FactoryErrors } from "../errors.ts";
import type { SourceInput } from "../evidence/provenance.ts";
import type { Provenance } from "../evidence/read-provenance.ts";

export interface Checkout {
  readonly sources: readonly SourceInput[];
  readonly node: string;
  readonly dodeka: string;
}

/** Every difference between this checkout and the one that built the artifact; empty when they are the same. */
export function checkoutProblems(provenance: Provenance, checkout: Checkout): readonly FactoryError[] {
  const problems: FactoryError[] = [];
  const differ = (field: string, found: string, expected: string): void => {
    const fix = `check out version ${provenance.builder.dodeka} at the revision that built it, or pass --any-checkout`;
    problems.push(new FactoryError({ code: "HOST_UNFIT", field, found, expected, fix }));
  };
  const { builder, dependencies } = provenance;
  if (checkout.dodeka !== builder.dodeka) differ("dodeka", checkout.dodeka, `version ${builder.dodeka}`);
  if (checkout.node !== builder.node) differ("Node", checkout.node, `version ${builder.node}`);
  const own = new Map(checkout.sources.map(({ name, digest }) => [name, digest]));
  for (const [name, { digest }] of dependencies) {
    if (isSource(name) && own.get(name) !== digest)
      differ(name, own.get(name) ?? "none", `SHA-256 ${digest ?? "none"}`);
  }
  for (const [name, digest] of own) if (!dependencies.has(name)) differ(name, digest, "none");
  return problems;
}

/** Throws FactoryErrors with all of them. */
export function requireSameCheckout(provenance: Provenance, checkout: Checkout): void {
  const problems = checkoutProblems(provenance, checkout);
  if (problems.length > 0) throw new FactoryErrors(problems);
}

/** Packages and parts have a prefix, and the others are not of the checkout. */
function isSource(name: string): boolean {
  return !/^(deb|part)\//.test(name) && !["release", "machine-config", "node"].includes(name);
}
