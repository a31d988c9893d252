// SPDX-License-Identifier: Apache-2.0
// Takes credentials out of text before anyone sees it: error texts end up in CI logs and in bug reports. The shapes
// below are the ones that registries, archives and signing services use; a secret of no known shape stays.
// Every quantifier is bounded or stops at a space, so that hostile text costs linear time.

const MASK = "***";

type Replacement = readonly [shape: RegExp, mask: string];

const SHAPES: readonly Replacement[] = [
  [
    /-----BEGIN ([A-Z ]{0,40}PRIVATE KEY)-----[^-]{0,20000}(?:-----END [A-Z ]{0,60}-----)?/g,
    `-----BEGIN $1----- ${MASK}`,
  ],
  [/\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#"'<>]{1,2000}@/gi, `$1${MASK}@`], //        user:pass@ of a URL
  [/\b((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?)[^\r\n"']{1,4000}/gi, `$1${MASK}`],
  [/\b(bearer\s{1,4})(?=\S{0,4000}[0-9]|\S{16})\S{1,4000}/gi, `$1${MASK}`], //         not "bearer of news"
  [
    // A signature is the secret of a signed URL; what our errors find in the place of one is none.
    /((?:token|secret|passw(?:or)?d|passphrase|api[-_]?key|private[-_]?key|signature(?!: found ))["']?\s{0,4}[=:]\s{0,4}["']?)[^\s"'&,;]{1,4000}/gi,
    `$1${MASK}`,
  ],
  [/([?&]sig=)[^\s&"'#]{1,4000}/gi, `$1${MASK}`], //                                   Azure shared access signature
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{10,400}/g, MASK],
  [/\beyJ[A-Za-z0-9_-]{5,4000}\.[A-Za-z0-9_-]{5,4000}\.[A-Za-z0-9_-]{0,4000}/g, MASK], // JSON Web Token
];

/** The text with "***" in place of each credential. */
export function redactCredentials(text: string): string {
  return SHAPES.reduce((safe, [shape, mask]) => safe.replace(shape, mask), text);
}
