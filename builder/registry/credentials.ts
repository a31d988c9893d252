// SPDX-License-Identifier: Apache-2.0
// Reads who we are at a registry from the file that `docker login` and `podman login` write.
// Format: docker/cli cli/config, members "auths" and "auth" (base64 of user:password).
// Left out: credential helpers (programs that the file names) and identity tokens; a registry that needs them refuses us.
import { FactoryError } from "../errors.ts";

export type Credential =
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string };

/** By host, port included when there is one. */
export type Credentials = ReadonlyMap<string, Credential>;

const MAX_ENTRIES = 1000;

/** Throws USAGE, and never shows what is in the file. */
export function parseCredentials(bytes: Uint8Array, file: string): Credentials {
  const auths = memberOf(parse(bytes, file), "auths") ?? {};
  if (typeof auths !== "object") throw invalid(file, "auths", "an object");
  const entries = Object.entries(auths);
  if (entries.length > MAX_ENTRIES) throw invalid(file, "auths", `at most ${MAX_ENTRIES} registries`);
  const found = new Map<string, Credential>();
  for (const [server, entry] of entries) {
    const credential = credentialOf(entry, file);
    if (credential !== undefined) found.set(hostOf(server), credential);
  }
  return found;
}

/** Older files name servers as addresses: `https://index.docker.io/v1/`. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

/** Undefined for an entry whose secret is elsewhere. */
function credentialOf(entry: unknown, file: string): Credential | undefined {
  const [token, auth, user, password] = ["registrytoken", "auth", "username", "password"].map((name) =>
    memberOf(entry, name),
  );
  if (typeof token === "string" && token !== "") return checked({ kind: "bearer", token }, file);
  if (typeof user === "string" && typeof password === "string") return checked({ kind: "basic", user, password }, file);
  if (typeof auth !== "string" || auth === "") return undefined;
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 1) throw invalid(file, "auths.*.auth", "base64 of user:password");
  return checked({ kind: "basic", user: text.slice(0, colon), password: text.slice(colon + 1) }, file);
}

/** A line break in a secret would write a header of its own. */
function checked(credential: Credential, file: string): Credential {
  const isPlain = Object.values(credential).every((value) => !/[\p{Cc}]/u.test(value));
  if (isPlain) return credential;
  throw invalid(file, "auths", "credentials without control characters");
}

function parse(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
  } catch {
    throw invalid(file, "document", "JSON"); // the reason would quote the text
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function invalid(file: string, field: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, field, expected, fix: "log in to the registry again" });
}
