// SPDX-License-Identifier: Apache-2.0
// Orders Debian package versions. Spec: Debian Policy 5.6.12.

/** Negative, zero or positive as `a` is older than, equal to, or newer than `b`. */
export function compareDebianVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(":");
  const epoch = colon < 0 ? 0 : Number(version.slice(0, colon));
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return { epoch, upstream: dash < 0 ? rest : rest.slice(0, dash), revision: dash < 0 ? "0" : rest.slice(dash + 1) };
}

/** Alternates runs of non-digits (compared by `order`) and of digits (compared as numbers). */
function compareParts(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while (isOther(a[i]) || isOther(b[j])) {
      const difference = order(a[i]) - order(b[j]);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const [x, y] = [digits(a, i), digits(b, j)];
    const difference = BigInt(x || "0") - BigInt(y || "0");
    if (difference !== 0n) return difference < 0n ? -1 : 1;
    i += x.length;
    j += y.length;
  }
  return 0;
}

function isOther(c: string | undefined): boolean {
  return c !== undefined && !/\d/.test(c);
}

/** `~` before the end, the end (or a digit) before letters, letters before everything else. */
function order(c: string | undefined): number {
  if (c === "~") return -1;
  if (c === undefined || /\d/.test(c)) return 0;
  const code = c.charCodeAt(0);
  return /[A-Za-z]/.test(c) ? code : code + 256;
}

function digits(text: string, from: number): string {
  return /^\d*/.exec(text.slice(from))?.[0] ?? "";
}
