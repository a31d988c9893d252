// SPDX-License-Identifier: Apache-2.0
// Reads an artifact at an address, as a stream that is hashed and kept nowhere, and the evidence files beside it.
import { FactoryError } from "../errors.ts";
import type { EvidenceSet } from "../evidence/checks.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { EVIDENCE_SUFFIXES, SIGNATURE_SUFFIX } from "../evidence/kinds.ts";
import { isFileName } from "../evidence/statement.ts";
import { digestStream } from "../host/evidence-files.ts";
import type { Http } from "../registry/http.ts";
import { boundedBody, checkedUrl, openHttp, readAnswer } from "../registry/http.ts";
import { expectStatus } from "../registry/registry.ts";
import type { CommandContext } from "./context.ts";

const MAX_ARTIFACT_BYTES = 64 * 2 ** 30;
/** Storage services say 403 for what is not there to those who may not list it. */
const ABSENT: ReadonlySet<number> = new Set([403, 404, 410]);

export function isUrl(target: string): boolean {
  return /^https?:\/\//i.test(target);
}

/** Throws USAGE, NETWORK, REGISTRY_REFUSED, REGISTRY_INVALID. `isSigned`: signatures will be checked. */
export async function readUrlEvidence(
  context: CommandContext,
  target: string,
  isSigned: boolean,
): Promise<EvidenceSet> {
  const url = checkedUrl(target);
  const name = nameOf(url);
  const http = openHttp({ signal: context.signal });
  const found = await Promise.all(
    EVIDENCE_SUFFIXES.map(async (suffix) => [suffix, await fetchBeside(http, url, suffix)] as const),
  );
  const files = new Map(found.flatMap(([suffix, bytes]) => (bytes === undefined ? [] : [[suffix, bytes] as const])));
  const read = await streamUrl(http, url, isSigned && files.has(SIGNATURE_SUFFIX));
  return { name, files, ...read };
}

/** An address without what may give access to it, for people to read. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, "");
}

function nameOf(url: URL): string {
  const last = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  if (isFileName(last)) return last;
  throw new FactoryError({
    code: "USAGE",
    field: "address",
    found: `${url.origin}${url.pathname}`,
    expected: "the address of a file, whose evidence lies beside it",
    fix: "correct the address",
  });
}

/** The query stays: it may be what gives access. */
async function fetchBeside(http: Http, url: URL, suffix: string): Promise<Buffer | undefined> {
  const beside = new URL(url);
  beside.pathname += suffix;
  return http({ method: "GET", url: beside, what: suffix }, async (answer) => {
    if (ABSENT.has(answer.status)) return undefined;
    expectStatus(answer, suffix, 200);
    return readAnswer(answer, EVIDENCE_MAX_BYTES, suffix);
  });
}

/** Each attempt hashes anew: a connection that broke may answer otherwise the second time. */
function streamUrl(http: Http, url: URL, forSignature: boolean): Promise<Pick<EvidenceSet, "size" | "artifact">> {
  return http({ method: "GET", url, what: "artifact" }, async (answer) => {
    expectStatus(answer, "artifact", 200);
    const chunks = boundedBody(answer, MAX_ARTIFACT_BYTES, "artifact");
    const { size, ...artifact } = await digestStream(chunks, url.pathname, forSignature);
    return { size, artifact };
  });
}
