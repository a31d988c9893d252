// SPDX-License-Identifier: Apache-2.0
// How bad a vulnerability is: from a CVSS 3 vector, else from the word that the database gives.
// Spec: CVSS v3.1 specification document, sections 5, 7.1 and 7.4. Left out: CVSS 2 and 4 vectors, whose entries
// then go by the word; temporal and environmental metrics.

export const SEVERITIES = ["none", "low", "medium", "high", "critical"] as const;
/** `unknown`: the database does not say. Policies take it for the worst. */
export type Severity = (typeof SEVERITIES)[number] | "unknown";

const WEIGHTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
};
const PRIVILEGES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  U: { N: 0.85, L: 0.62, H: 0.27 },
  C: { N: 0.85, L: 0.68, H: 0.5 },
};

const WORDS: readonly (readonly [RegExp, Severity])[] = [
  [/^critical$/i, "critical"],
  [/^(high|important)$/i, "high"],
  [/^(moderate|medium)$/i, "medium"],
  [/^low$/i, "low"],
  [/^(none|unimportant|negligible)$/i, "none"],
];

/** The first vector that can be scored decides, then the first word that is known. */
export function severityOf(vectors: readonly string[], words: readonly (string | undefined)[]): Severity {
  for (const vector of vectors) {
    const score = cvss3Score(vector);
    if (score !== undefined) return severityOfScore(score);
  }
  for (const word of words) {
    const known = WORDS.find(([pattern]) => word !== undefined && pattern.test(word));
    if (known !== undefined) return known[1];
  }
  return "unknown";
}

/** Base score from 0 to 10 of a CVSS 3.0 or 3.1 vector; undefined for anything else. */
export function cvss3Score(vector: string): number | undefined {
  if (!/^CVSS:3\.[01]\//.test(vector)) return undefined;
  const metrics = new Map(
    vector
      .split("/")
      .slice(1)
      .map((m) => m.split(":") as [string, string]),
  );
  const weight = (name: string): number => WEIGHTS[name]?.[metrics.get(name) ?? ""] ?? NaN;
  const scope = metrics.get("S") ?? "";
  const privileges = PRIVILEGES[scope]?.[metrics.get("PR") ?? ""] ?? NaN;
  const exploitability = 8.22 * weight("AV") * weight("AC") * privileges * weight("UI");
  const base = 1 - (1 - weight("C")) * (1 - weight("I")) * (1 - weight("A"));
  const changed = scope === "C";
  const impact = changed ? 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 : 6.42 * base;
  if (Number.isNaN(exploitability + impact)) return undefined;
  if (impact <= 0) return 0;
  return roundUp(Math.min((changed ? 1.08 : 1) * (impact + exploitability), 10));
}

/** Up to one decimal, as Appendix A of the specification rounds. */
function roundUp(value: number): number {
  const units = Math.round(value * 100_000);
  return units % 10_000 === 0 ? units / 100_000 : (Math.floor(units / 10_000) + 1) / 10;
}

function severityOfScore(score: number): Severity {
  if (score === 0) return "none";
  if (score < 4) return "low";
  if (score < 7) return "medium";
  return score < 9 ? "high" : "critical";
}
