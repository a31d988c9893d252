// SPDX-License-Identifier: Apache-2.0
// Reads an artifact at an address, as a stream that is hashed and kept nowhere, and the evidence files beside it.
import { createHash, createVerify } from "node:crypto";
import { FactoryError } from "../errors.ts";
import type { EvidenceSet } from "../evidence/checks.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { EVIDENCE_SUFFIXES, SIGNATURE_SUFFIX } from "../evidence/kinds.ts";
import { isFileName } from "../evidence/statement.ts";
import { parseSha256 } from "../layout/digest.ts";
import type { Http } from "../registry/http.ts";
import { checkedUrl, invalidAnswer, openHttp, readAnswer } from "../registry/http.ts";
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
  const files = new Map<string, Buffer>();
  for (const suffix of EVIDENCE_SUFFIXES) {
    const bytes = await fetchBeside(http, url, suffix);
    if (bytes !== undefined) files.set(suffix, bytes);
  }
  const read = await streamUrl(http, url, isSigned && files.has(SIGNATURE_SUFFIX));
  return { name, files, ...read };
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
    const [hash, verify] = [createHash("sha256"), createVerify("sha256")];
    let size = 0;
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > MAX_ARTIFACT_BYTES)
        throw invalidAnswer(url, "artifact", "a longer answer", `at most ${MAX_ARTIFACT_BYTES} bytes`);
      hash.update(chunk);
      if (forSignature) verify.update(chunk);
    }
    return { size, artifact: { digest: parseSha256(hash.digest("hex"), url.pathname), verify } };
  });
}
