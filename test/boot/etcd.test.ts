// SPDX-License-Identifier: Apache-2.0
// A machine of the control plane keeps a cluster's database: it waits for a bootstrap, runs etcd as a container, comes up
// with it after a reboot, gives a snapshot away, and begins again from that when its data are lost, though the power fails.
// The stock client asks; what etcd holds is written and read with a certificate of the cluster's etcd authority. The
// registry is a server of this host's loopback; its image is built from etcd's modules.
import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { stringify } from "yaml";
import { ETCD_CONFIG, buildEtcd } from "../etcd/build.ts";
import { buildImages } from "../foreign/built-images.ts";
import { assertRefused } from "../os/api-test.ts";
import { mainDocument } from "../os/cluster.ts";
import { stockClient } from "../os/stock-client.ts";
import { startRegistry } from "../registry/test-registry.ts";
import { buildTalosctl } from "../talosctl/build.ts";
import { answered, eventually } from "./asking.ts";
import { NO_TIME_SERVER, mirrorDocument, mirrorOf, registryWires } from "./beside-registry.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { freePort, startMachine } from "./driven-machine.ts";
import { ends, makeOwner, ready } from "./machine-owner.ts";

const DISK_BYTES = 2 ** 30;
const IMAGE = "registry.example/etcd:3";
const SNAPSHOT = "etcd.snapshot";
const END_MS = 240_000;
const NAME = "keeper";

const registry = await startRegistry();
after(() => registry.close());
registry.addImage(["3"], await buildEtcd(), ETCD_CONFIG);

const images = await buildImages(["raw"]);
const { port, admin, reader, config, configure } = await makeOwner(images.dir);
const etcdPort = await freePort();
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

interface Authority {
  readonly ca: { readonly crt: string; readonly key: string };
}

const { etcd } = mainDocument(config).cluster as { readonly etcd: Authority };
const person = await makePerson(etcd);

test("a machine of the control plane keeps etcd, and what it holds", async (t) => {
  truncateSync(images.path("raw"), DISK_BYTES);
  const first = await start("etcd");
  await configure(first, configuration());
  await answered(admin);

  await t.test("it waits for a bootstrap, for which a reader cannot ask", async () => {
    await waits();
    assertRefused(await admin.run(["etcd", "status"]), /FailedPrecondition.* etcd does not run/);
    assertRefused(await reader.run(["bootstrap"]), /PermissionDenied|not authorized/);
  });

  await t.test("a bootstrap begins a cluster of one member", async () => {
    const began = performance.now();
    await admin.ok(["bootstrap"]);
    await isHealthy();
    t.diagnostic(`from bootstrap to healthy: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    assert.match(
      await reader.ok(["etcd", "members"]),
      new RegExp(`\\s${NAME}\\s+https://\\S+:2380\\s+https://\\S+:2379\\s`),
    );
    assert.match(await reader.ok(["etcd", "status"]), /\s3\.\d+\.\d+\s+3\.\d+\.\d+\s*$/);
    assert.equal(await reader.ok(["etcd", "alarm", "list"]), "");
    await admin.ok(["etcd", "defrag"]);
    assert.match(await reader.ok(["containers"]), new RegExp(`\\setcd\\s+${IMAGE}\\s+\\d+\\s+RUNNING`));
    assert.match(await reader.ok(["logs", "etcd"]), /"ready to serve client requests"/);
  });

  await t.test("another bootstrap is refused", async () => {
    assertRefused(await admin.run(["bootstrap"]), /AlreadyExists/);
  });

  await t.test("it takes nobody without a certificate of its authority", async () => {
    await assert.rejects(ask("range", { key: base64("a") }, { ca: person.ca }));
  });

  await t.test("a snapshot has what was there, and a reboot takes nothing away", async () => {
    await put("before", "the snapshot");
    await admin.ok(["etcd", "snapshot", SNAPSHOT]);
    await put("after", "the snapshot");
    assertRefused(await reader.run(["etcd", "snapshot", "none"]), /PermissionDenied|not authorized/);
    const pulls = registry.seen.length;
    await again(["reboot", "--wait=false"], "etcd rebooted");
    await isHealthy();
    assert.equal(registry.seen.length, pulls, "the image was fetched again");
    assert.equal(await get("after"), "the snapshot");
  });

  await t.test("without its data it waits again, and refuses a snapshot that is damaged", async () => {
    const wipe = ["--graceful=false", "--reboot", "--wait=false", "--system-labels-to-wipe", "EPHEMERAL"];
    await again(["reset", ...wipe], "etcd wiped");
    await waits();
    const bytes = readFileSync(inHome(SNAPSHOT));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(inHome("damaged"), bytes);
    assertRefused(await admin.run(["bootstrap", "--recover-from", "damaged"]), /checksum does not fit/);
    assert.doesNotMatch(await admin.ok(["list", "/var/lib"]), /etcd\.snapshot/);
  });

  await t.test("it begins again from the snapshot, though the power fails as soon as that is asked for", async () => {
    await admin.ok(["bootstrap", "--recover-from", SNAPSHOT]);
    await machine?.cut();
    await ready(await start("etcd cut"));
    await answered(admin);
    await isHealthy();
    assert.equal(await get("before"), "the snapshot");
    assert.equal(await get("after"), undefined);
    assert.doesNotMatch(await admin.ok(["list", "/var/lib"]), /etcd\.(snapshot|bootstrap|restored)/);
  });
});

/** Boots the disk beside the registry. */
async function start(name: string): Promise<DrivenMachine> {
  machine = await startMachine({
    name,
    image: images.path("raw"),
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
    wires: registryWires(images.dir, { hostPort: etcdPort, guestPort: 2379 }),
  });
  return machine;
}

/** Asks for the end of this boot, and boots the disk anew. */
async function again(command: readonly string[], name: string): Promise<void> {
  assert.ok(machine !== undefined);
  await admin.ok(command);
  await ends(machine, END_MS);
  await ready(await start(name));
  await answered(admin);
}

async function waits(): Promise<void> {
  const shown = await eventually(admin, ["service", "etcd"], /^STATE\s+Preparing$/m);
  assert.match(shown, /Waiting for a bootstrap, or to join a cluster/);
}

async function isHealthy(): Promise<void> {
  await eventually(admin, ["service", "etcd"], /^HEALTH\s+OK$/m);
}

function configuration(): string {
  const { machine: ours, cluster } = mainDocument(config);
  return [
    stringify({ version: "v1alpha1", machine: ours, cluster: { ...cluster, etcd: { ...etcd, image: IMAGE } } }),
    stringify({ apiVersion: "v1alpha1", kind: "HostnameConfig", hostname: NAME }),
    NO_TIME_SERVER,
    mirrorDocument("registry.example", mirrorOf(registry)),
  ].join("---\n");
}

interface Identity {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** A client of etcd. */
async function makePerson({ ca }: Authority): Promise<Identity> {
  const dir = join(images.dir, "person");
  mkdirSync(dir);
  writeFileSync(join(dir, "etcd.crt"), Buffer.from(ca.crt, "base64"));
  writeKey(join(dir, "etcd.key"), createPrivateKey(Buffer.from(ca.key, "base64")));
  writeKey(join(dir, "me.key"), generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey); // as the authority's
  const client = stockClient(await buildTalosctl(), dir);
  await client.ok(["gen", "csr", "--key", "me.key", "--ip", "127.0.0.1", "--roles", "os:reader"]);
  await client.ok(["gen", "crt", "--ca", "etcd", "--csr", "me.csr", "--name", "me", "--hours", "1"]);
  const read = (name: string): Buffer => readFileSync(join(dir, name));
  return { ca: read("etcd.crt"), cert: read("me.crt"), key: read("me.key") };
}

function writeKey(path: string, key: KeyObject): void {
  writeFileSync(path, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
}

async function put(key: string, value: string): Promise<void> {
  await ask("put", { key: base64(key), value: base64(value) });
}

async function get(key: string): Promise<string | undefined> {
  const { kvs = [] } = (await ask("range", { key: base64(key) })) as { kvs?: readonly { readonly value: string }[] };
  const [found] = kvs;
  return found === undefined ? undefined : Buffer.from(found.value, "base64").toString();
}

/** Source: etcd, "Using etcd gateway and gRPC proxy", "gRPC gateway". */
async function ask(method: string, body: object, identity: Identity = person): Promise<unknown> {
  const path = `/v3/kv/${method}`;
  const asked = request({ ...identity, method: "POST", host: "127.0.0.1", port: etcdPort, path });
  asked.end(JSON.stringify(body));
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const answer = await text(response);
  assert.equal(response.statusCode, 200, answer);
  return JSON.parse(answer);
}

function base64(value: string): string {
  return Buffer.from(value).toString("base64");
}

/** Where the stock client's files are. */
function inHome(name: string): string {
  return join(images.dir, name);
}
