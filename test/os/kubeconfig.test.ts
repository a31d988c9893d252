// SPDX-License-Identifier: Apache-2.0
// The configuration that a machine of the control plane makes for the cluster's administrator.
import assert from "node:assert/strict";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { ADMIN, OPERATOR, assertRefused, openApiTest } from "./api-test.ts";
import { mainDocument } from "./cluster.ts";

interface Kubeconfig {
  readonly "current-context": string;
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const HOUR_MS = 3_600_000;

const api = await openApiTest("configured");
const admin = await api.clientOf("admin", ADMIN);
const secrets = parse(readFileSync(join(api.cluster.dir, "secrets.yaml"), "utf8")) as {
  readonly certs: { readonly k8s: { readonly crt: string } };
};
const authority = new X509Certificate(Buffer.from(secrets.certs.k8s.crt, "base64"));

test("an administrator gets a certificate of the cluster's authority for a year", async () => {
  const file = join(api.dir, "kubeconfig");
  await admin.ok(["kubeconfig", file, "--merge=false"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { clusters, users, "current-context": context } = parse(readFileSync(file, "utf8")) as Kubeconfig;
  assert.equal(context, "admin@test");
  assert.equal(clusters[0]?.cluster["server"], "https://127.0.0.1:6443");
  assert.equal(clusters[0]?.cluster["certificate-authority-data"], secrets.certs.k8s.crt);
  const decode = (name: string): Buffer => Buffer.from(users[0]?.user[name] ?? "", "base64");
  const certificate = new X509Certificate(decode("client-certificate-data"));
  assert.ok(certificate.verify(authority.publicKey) && certificate.checkIssued(authority));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(decode("client-key-data"))));
  assert.equal(certificate.subject, "O=system:masters\nCN=admin");
  assert.deepEqual([certificate.ca, certificate.keyUsage], [false, [CLIENT_AUTH]]);
  const days = (Date.parse(certificate.validTo) - Date.now()) / (24 * HOUR_MS);
  assert.ok(days > 364 && days <= 365, `${days} days`);
});

test("an operator is refused", async () => {
  const operator = await api.clientOf("operator", OPERATOR);
  assertRefused(await operator.run(["kubeconfig", join(api.dir, "refused"), "--merge=false"]), /PermissionDenied/);
});

test("the certificate lives as long as the configuration says", async () => {
  const brief = await openApiTest("configured", livingAnHour);
  const file = join(brief.dir, "an-hour");
  await (await brief.clientOf("admin", ADMIN)).ok(["kubeconfig", file, "--merge=false"]);
  const { users } = parse(readFileSync(file, "utf8")) as Kubeconfig;
  const text = Buffer.from(users[0]?.user["client-certificate-data"] ?? "", "base64");
  const left = Date.parse(new X509Certificate(text).validTo) - Date.now();
  assert.ok(left > 0.9 * HOUR_MS && left <= HOUR_MS, `${left} ms`);
});

function livingAnHour(config: string): string {
  const main = mainDocument(config);
  return stringify({ ...main, cluster: { ...main.cluster, adminKubeconfig: { certLifetime: "1h" } } });
}
