// SPDX-License-Identifier: Apache-2.0
// Orders versions of Go modules and npm packages. Spec: semver.org 2.0.0, section 11.

/** Negative, zero or positive as `a` is older than, equal to, or newer than `b`; a leading "v" or "go" is ignored. */
export function compareSemver(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  for (let i = 0; i < Math.max(left.core.length, right.core.length); i++) {
    const difference = compareNumbers(left.core[i] ?? "0", right.core[i] ?? "0");
    if (difference !== 0) return difference;
  }
  if (left.pre === undefined || right.pre === undefined) {
    return (left.pre === undefined ? 1 : 0) - (right.pre === undefined ? 1 : 0);
  }
  return comparePre(left.pre, right.pre);
}

function split(version: string): { core: readonly string[]; pre: readonly string[] | undefined } {
  const plain = version.replace(/^(v|go)(?=\d)/, "").replace(/\+.*$/, "");
  const dash = plain.indexOf("-");
  if (dash >= 0) return { core: plain.slice(0, dash).split("."), pre: plain.slice(dash + 1).split(".") };
  const candidate = /^(\d+(?:\.\d+)*)((?:rc|beta)\d+)$/.exec(plain); // 1.27rc1, as Go itself writes it
  if (candidate?.[1] === undefined) return { core: plain.split("."), pre: undefined };
  return { core: candidate[1].split("."), pre: [candidate[2] ?? ""] };
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? "", b[i] ?? ""];
    const [isX, isY] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (isX !== isY) return isX ? -1 : 1; // numbers before words
    const difference = isX ? compareNumbers(x, y) : x < y ? -1 : x > y ? 1 : 0;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers of any length; what is no number counts as words do. */
function compareNumbers(a: string, b: string): number {
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [a.replace(/^0+(?=\d)/, ""), b.replace(/^0+(?=\d)/, "")];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
}
