// SPDX-License-Identifier: Apache-2.0
// The figures by which the OS is to be small and quick, beside their budgets, as a table of the test report.

const BUDGETS: Readonly<Record<string, number>> = {
  "boot of the disk to the API, wall clock, TCG and UEFI, s": 60,
  "memory in use after boot, MB": 150,
  "root image, MiB": 100,
  "UKI, MiB": 30,
};

const figures = new Map<string, number>();

/** Keeps one figure; its name says the unit. */
export function measure(name: string, value: number): void {
  figures.set(name, value);
}

/** Prints every figure, and whether it is within its budget. */
export function printMetrics(): void {
  for (const [name, value] of figures) {
    const budget = BUDGETS[name];
    const verdict = budget === undefined ? "" : ` (budget ${budget}${value <= budget ? "" : ", EXCEEDED"})`;
    console.log(`metric: ${name}: ${Number.isInteger(value) ? value : value.toFixed(1)}${verdict}`);
  }
}
