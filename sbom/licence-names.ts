// SPDX-License-Identifier: Apache-2.0
// Licence data: what Debian, kernel modules and licence files call a licence, and SPDX's name for it. What SPDX does not
// know becomes a LicenseRef; nothing is rounded to the nearest known licence.
// Spec: SPDX 2.3 annexes A and D; DEP-5 "License syntax"; Linux include/linux/module.h, MODULE_LICENSE.

/** Debian's short names, in lower case, where they differ from SPDX's. */
const DEBIAN: Readonly<Record<string, string>> = {
  "apache-2": "Apache-2.0",
  "apache-2.0": "Apache-2.0",
  artistic: "Artistic-1.0-Perl",
  "bsd-2-clause": "BSD-2-Clause",
  "bsd-3-clause": "BSD-3-Clause",
  "bsd-4-clause": "BSD-4-Clause",
  "cc-by-sa-3.0": "CC-BY-SA-3.0",
  "cc-by-sa-4.0": "CC-BY-SA-4.0",
  cc0: "CC0-1.0",
  "cc0-1.0": "CC0-1.0",
  expat: "MIT",
  isc: "ISC",
  mit: "MIT",
  "mpl-1.1": "MPL-1.1",
  "mpl-2.0": "MPL-2.0",
  openssl: "OpenSSL",
  "ofl-1.1": "OFL-1.1",
  "unicode-data": "Unicode-DFS-2016",
  x11: "X11",
  zlib: "Zlib",
};

/**
 * MODULE_LICENSE strings, as Documentation/process/license-rules.rst explains them: "GPL" means version 2 and leaves open
 * whether later ones too, so the narrower is taken. "BSD" and "MPL" name no version, so they stay references.
 */
const KERNEL_MODULE: Readonly<Record<string, readonly string[]>> = {
  GPL: ["GPL-2.0-only"],
  "GPL v2": ["GPL-2.0-only"],
  "GPL and additional rights": ["GPL-2.0-only"],
  "Dual BSD/GPL": ["GPL-2.0-only", "?BSD"],
  "Dual MIT/GPL": ["GPL-2.0-only", "MIT"],
  "Dual MPL/GPL": ["GPL-2.0-only", "?MPL"],
};

/** Phrases that stand in the text of one licence and of no other in this list; all must be there. Order matters. */
const TEXTS: readonly (readonly [id: string, phrases: readonly string[]])[] = [
  ["Apache-2.0", ["apache license version 2.0", "grant of patent license", "redistribution"]],
  ["MPL-2.0", ["mozilla public license version 2.0", "covered software"]],
  ["BSD-3-Clause", ["redistributions in binary form must reproduce", "neither the name", "endorse or promote"]],
  ["BSD-2-Clause", ["redistributions in binary form must reproduce", "redistributions of source code must retain"]],
  ["MIT", ["permission is hereby granted free of charge", "the above copyright notice and this permission notice"]],
  ["ISC", ["permission to use copy modify and or distribute this software for any purpose"]],
  ["Unlicense", ["this is free and unencumbered software released into the public domain"]],
];

/** A licence reference: letters, digits, "-" and "." only (annex D). */
export function licenceRef(name: string): string {
  return `LicenseRef-${name.replaceAll(/[^A-Za-z0-9.-]+/g, "-").replaceAll(/^-+|-+$/g, "")}`;
}

/** A DEP-5 short name or combination as an SPDX expression; `ref` names what SPDX does not know. */
export function spdxFromDebian(text: string, ref: (short: string) => string): string {
  const alternatives = text.replaceAll(/,\s*/g, " ").split(/\s+or\s+/);
  const converted = alternatives.map((alternative) => {
    const parts = alternative.split(/\s+and\s+/).map((part) => single(part.trim(), ref));
    return parts.length > 1 && alternatives.length > 1 ? `(${parts.join(" AND ")})` : parts.join(" AND ");
  });
  return converted.join(" OR ");
}

function single(short: string, ref: (short: string) => string): string {
  if (/^GPL-2 with Linux-syscall-note exception$/i.test(short)) return "GPL-2.0-only WITH Linux-syscall-note";
  const gnu = /^(A?GPL|LGPL)-(\d)(\.\d)?(\+)?$/i.exec(short);
  if (gnu === null) return DEBIAN[short.toLowerCase()] ?? ref(short);
  const [, family = "", major = "", minor = ".0", later] = gnu;
  const id = `${family.toUpperCase()}-${major}${minor}`;
  const isKnown = ["GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"].includes(id);
  return isKnown ? `${id}-${later === undefined ? "only" : "or-later"}` : ref(short);
}

/** The licence that a kernel module claims; `ref` names one that has no SPDX identifier. */
export function spdxFromKernelModule(claim: string, ref: (claim: string) => string): string {
  const choices = KERNEL_MODULE[claim] ?? [`?${claim}`];
  return choices.map((choice) => (choice.startsWith("?") ? ref(choice.slice(1)) : choice)).join(" OR ");
}

/** The licence whose text this is; undefined when it is none that we know for sure. */
export function recogniseLicenceText(text: string): string | undefined {
  const words = text.toLowerCase().replaceAll(/[^a-z0-9.]+/g, " ");
  return TEXTS.find(([, phrases]) => phrases.every((phrase) => words.includes(phrase)))?.[0];
}

/** Lines of a licence file that claim copyright. */
export function copyrightLines(text: string): readonly string[] {
  const found = text
    .split("\n")
    .map((l) => l.trim())
    .filter((l) => /^copyright\s+(\(c\)|©|\d{4})/i.test(l));
  return [...new Set(found)].slice(0, 64);
}
