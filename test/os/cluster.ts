// SPDX-License-Identifier: Apache-2.0
// What the owner of a machine has: secrets, a machine configuration, and client configurations for several people. All of
// it is made by the stock client.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { StockClient } from "./stock-client.ts";
import { stockClient } from "./stock-client.ts";

/** A certificate that somebody shows. */
export interface Person {
  readonly roles: readonly string[];
  /** Until the certificate expires; 0: it is expired when it is used. */
  readonly hours?: number;
}

export interface Cluster {
  readonly dir: string;
  /** The machine configuration of a control plane node. */
  readonly config: string;
  /** Path of a client configuration for a person, signed by this cluster's authority. */
  readonly talosconfigOf: (name: string, person: Person) => Promise<string>;
}

interface Secrets {
  readonly certs: { readonly os: { readonly crt: string; readonly key: string } };
}

/** The first document of a generated configuration; others name the host and the like. */
export interface MainDocument {
  readonly machine: object;
  readonly cluster: object;
}

export function mainDocument(config: string): MainDocument {
  return parseAllDocuments(config)[0]?.toJS() as MainDocument;
}

/** Makes secrets and configurations in `dir`. */
export async function makeCluster(program: string, dir: string, installDisk = "/dev/vda"): Promise<Cluster> {
  await mkdir(dir, { recursive: true });
  const client = stockClient(program, dir);
  await client.ok(["gen", "secrets", "-o", "secrets.yaml"]);
  const output = ["--output-dir", "generated", "--with-docs=false", "--with-examples=false"];
  const input = ["test", "https://127.0.0.1:6443", "--with-secrets", "secrets.yaml", "--install-disk", installDisk];
  await client.ok(["gen", "config", ...input, ...output]);
  const { certs } = parse(await readFile(join(dir, "secrets.yaml"), "utf8")) as Secrets;
  await writeFile(join(dir, "os.crt"), Buffer.from(certs.os.crt, "base64"));
  await writeFile(join(dir, "os.key"), Buffer.from(certs.os.key, "base64"), { mode: 0o600 });
  return {
    dir,
    config: await readFile(join(dir, "generated/controlplane.yaml"), "utf8"),
    talosconfigOf: (name, person) => writeTalosconfig(client, { dir, name, person, authority: certs.os.crt }),
  };
}

/** Writes a client configuration from parts, which need not fit each other. `authority` is base64 of PEM. */
export async function joinTalosconfig(path: string, authority: string, certificateOf: string): Promise<string> {
  const [crt, key] = await Promise.all(
    ["crt", "key"].map(async (kind) => (await readFile(`${certificateOf}.${kind}`)).toString("base64")),
  );
  await writeFile(path, stringify({ context: "test", contexts: { test: { endpoints: [], ca: authority, crt, key } } }));
  return path;
}

interface PersonFiles {
  readonly dir: string;
  readonly name: string;
  readonly person: Person;
  readonly authority: string;
}

async function writeTalosconfig(client: StockClient, { dir, name, person, authority }: PersonFiles): Promise<string> {
  const { roles, hours = 1 } = person;
  await client.ok(["gen", "key", "--name", name]);
  await client.ok(["gen", "csr", "--key", `${name}.key`, "--ip", "127.0.0.1", "--roles", roles.join(",")]);
  await client.ok(["gen", "crt", "--ca", "os", "--csr", `${name}.csr`, "--name", name, "--hours", String(hours)]);
  return joinTalosconfig(join(dir, `${name}.yaml`), authority, join(dir, name));
}
