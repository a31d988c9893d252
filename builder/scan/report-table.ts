// SPDX-License-Identifier: Apache-2.0
// A scan as a table for people: open findings first, then what our statements take out, with the reason.
import { showHidden } from "../report/plain-text.ts";
import type { Finding } from "./match.ts";
import { isSuppressed, reasonOf } from "./match.ts";
import type { ScanResult } from "./scan-result.ts";

/** Ends in a line break. Control characters that a database or an SBOM holds are escaped. */
export function renderScanTable(result: ScanResult): string {
  const { components, skipped, entries, findings, subject } = result;
  const open = findings.filter((f) => !isSuppressed(f));
  const suppressed = findings.filter(isSuppressed);
  const rows = [["SEVERITY", "ID", "PACKAGE", "VERSION", "FIXED IN", "SUMMARY"], ...open.map(openRow)];
  const reasons = [["ID", "PACKAGE", "STATUS", "REASON"], ...suppressed.map(suppressedRow)];
  const looked = `${components.length} components looked up in ${entries} entries, ${skipped.length} without an ecosystem`;
  return [
    `${showHidden(subject)}: ${open.length} open, ${suppressed.length} suppressed (${looked})\n`,
    open.length === 0 ? "" : `\n${align(rows)}`,
    suppressed.length === 0 ? "" : `\nsuppressed by statements\n${align(reasons)}`,
  ].join("");
}

function openRow({ severity, id, aliases, component, fixed, summary, vex }: Finding): readonly string[] {
  const note = vex === undefined ? "" : ` [${vex.status}]`;
  const name = `${component.ecosystem} ${component.name}`;
  return [severity, namesOf(id, aliases), name, component.version, fixed ?? "none", `${summary.slice(0, 60)}${note}`];
}

function suppressedRow(finding: Finding): readonly string[] {
  const { id, aliases, component, vex } = finding;
  return [namesOf(id, aliases), `${component.ecosystem} ${component.name}`, vex?.status ?? "", reasonOf(finding)];
}

function namesOf(id: string, aliases: readonly string[]): string {
  const cve = aliases.find((alias) => alias.startsWith("CVE-"));
  return cve === undefined || cve === id ? id : `${id} (${cve})`;
}

function align(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(showHidden));
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
