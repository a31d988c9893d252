// SPDX-License-Identifier: Apache-2.0
// A Markdown table with aligned columns, as the formatter of this repository writes it, so that generated pages
// and formatted pages are the same bytes. Cells must not hold "|".

/** `rows` have as many cells as `head`. No line break at the end. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
