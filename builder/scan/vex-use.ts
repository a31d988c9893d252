// SPDX-License-Identifier: Apache-2.0
// Statements that no longer say anything: about a version that is not shipped any more (somebody must look again), or
// about a vulnerability that the database no longer sees there. Left alone they would hide the next finding.
import { FactoryError } from "../errors.ts";
import type { ScanComponent } from "./bom-components.ts";
import type { Finding } from "./match.ts";
import type { VexStatement } from "./openvex.ts";
import { isSamePackage, matchesPurl } from "./openvex.ts";

export interface VexUse {
  readonly statements: readonly VexStatement[];
  readonly components: readonly ScanComponent[];
  readonly findings: readonly Finding[];
  /** Identifiers and aliases of the entries that the database holds, as far as a statement names them. */
  readonly seen: ReadonlySet<string>;
}

/** One problem for each statement and component; empty when every statement is of use. */
export function vexProblems(use: VexUse): readonly FactoryError[] {
  return use.statements.flatMap((statement) =>
    statement.components.flatMap((purl) => {
      const problem = problemOf(statement, purl, use);
      return problem === undefined ? [] : [problem];
    }),
  );
}

function problemOf(statement: VexStatement, purl: string, use: VexUse): FactoryError | undefined {
  const related = use.components.filter((component) => isSamePackage(purl, component.purl));
  const about = related.filter((component) => matchesPurl(purl, component.purl));
  if (about.length === 0) {
    // What ships is about all outputs of one release, whose versions a test holds it against; this may be another one.
    if (statement.isShipped) return undefined;
    const found = related[0] === undefined ? "no such component" : `version ${related[0].version}`;
    return stale(statement, purl, found, "a component of the SBOM, in the version that was looked at");
  }
  const isKnown = statement.vulnerabilities.some((name) => use.seen.has(name));
  const isUsed = use.findings.some(
    ({ id, aliases, component }) =>
      matchesPurl(purl, component.purl) && [id, ...aliases].some((name) => statement.vulnerabilities.includes(name)),
  );
  if (!isKnown || isUsed) return undefined;
  return stale(statement, purl, "not affected", "a component that the database says is affected");
}

function stale({ file, vulnerabilities }: VexStatement, purl: string, found: string, expected: string): FactoryError {
  return new FactoryError({
    code: "EVIDENCE_INVALID",
    file,
    field: `${vulnerabilities[0] ?? ""} in ${purl}`,
    found,
    expected,
    fix: "look into it again, then correct the statement or remove it",
  });
}
