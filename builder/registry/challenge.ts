// SPDX-License-Identifier: Apache-2.0
// Answers a registry's 401: with a password, or with a token that another server gives for it.
// Spec: RFC 9110 section 11.6.1 (WWW-Authenticate); distribution docs/spec/auth/token.md.
// What an attacker could do: a registry may name any token server, and gets there what we would give the registry itself,
// nothing else; it must be https, so that nobody between sees it.
import type { Credential } from "./credentials.ts";
import type { Http } from "./http.ts";
import { invalidAnswer, nextUrl, readAnswer } from "./http.ts";

export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_TOKEN_BYTES = 256 * 1024;
/** A name begins where none goes on: tried within a long one, each header would cost the square of its length. */
const PARAMETER = /(?<![A-Za-z0-9_-])([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/g;

/** The strongest challenge that we can answer; undefined when there is none. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const text = (header ?? "").slice(0, 8192);
  const found = [...text.matchAll(/(?:^|,\s*)(basic|bearer)(?=\s|$)/gi)].map((match) => {
    const scheme = (match[1] ?? "").toLowerCase() as Challenge["scheme"];
    const rest = text.slice(match.index + match[0].length).split(/,\s*[A-Za-z-]+\s+(?=[A-Za-z0-9_-]+\s*=)/)[0] ?? "";
    const pairs = [...rest.matchAll(PARAMETER)].map(
      ([, name = "", quoted, bare]) => [name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, "$1") ?? bare ?? ""] as const,
    );
    return { scheme, parameters: new Map(pairs) };
  });
  return found.find(({ scheme }) => scheme === "bearer") ?? found[0];
}

export interface Demand {
  readonly challenge: Challenge | undefined;
  /** The registry's own address. */
  readonly url: URL;
  /** Of the token standard: `repository:name:pull`. */
  readonly scope: string;
  readonly credential: Credential | undefined;
}

/** The Authorization header that answers; undefined when we have none. Throws NETWORK, REGISTRY_INVALID. */
export async function answerChallenge(http: Http, demand: Demand): Promise<string | undefined> {
  const { challenge, credential } = demand;
  if (credential?.kind === "bearer") return `Bearer ${credential.token}`;
  if (challenge?.scheme === "bearer") return fetchToken(http, demand, challenge);
  return challenge === undefined || credential === undefined ? undefined : basic(credential);
}

function basic({ user, password }: Extract<Credential, { kind: "basic" }>): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** Anonymous when we have no password: public images need a token too. */
async function fetchToken(
  http: Http,
  { url: registry, scope, credential }: Demand,
  { parameters }: Challenge,
): Promise<string | undefined> {
  const realm = parameters.get("realm") ?? "";
  const url = nextUrl(URL.canParse(realm) ? realm : null, registry, "token server");
  const service = parameters.get("service");
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", scope);
  const authorization = credential?.kind === "basic" ? basic(credential) : undefined;
  return http({ method: "GET", url, what: "token", authorization }, async (answer) => {
    if (answer.status >= 400) return undefined;
    const token = tokenOf(await readAnswer(answer, MAX_TOKEN_BYTES, "token"));
    if (token !== undefined) return `Bearer ${token}`;
    throw invalidAnswer(url, "token", "another answer", "JSON with a token");
  });
}

function tokenOf(bytes: Uint8Array): string | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString("utf8")) as Readonly<Record<string, unknown>> | null;
    const token = value?.["token"] ?? value?.["access_token"];
    return typeof token === "string" && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}
