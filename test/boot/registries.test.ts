// SPDX-License-Identifier: Apache-2.0
// Images of containers on a real machine: the stock client has its containerd fetch one from a registry that only its
// configuration knows how to reach, by a mirror and with a password. The registry is a server of this host's loopback.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, truncateSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { stringify } from "yaml";
import { buildImages } from "../foreign/built-images.ts";
import { assertRefused } from "../os/api-test.ts";
import type { TestRegistry } from "../registry/test-registry.ts";
import { PASSWORD, USER, startRegistry } from "../registry/test-registry.ts";
import { answered, until } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import { makeOwner } from "./machine-owner.ts";

const DISK_BYTES = 2 ** 30;
const NAME = "registry.example/app/web:1";
const PULL_MS = 60_000;
/** On this network of QEMU the host's loopback has this address. */
const NETWORK = "10.1.0.0/24";
const HOST = "10.1.0.2";

const registry = await startRegistry({ auth: "bearer" });
after(() => registry.close());
const digest = await putImage(registry, "1");
const mirror = `${HOST}:${registry.host.split(":")[1]}`;

const images = await buildImages(["raw"]);
const { port, admin, reader, config, configure, reconfigure } = await makeOwner(images.dir);
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

test("containerd of a machine fetches images as its configuration says", async (t) => {
  await startConfigured();

  await t.test("it starts with no image", async () => {
    assert.deepEqual(await until(admin, ["image", "list"], names), []);
  });

  await t.test("an image comes through the mirror, with the password of the configuration", async () => {
    await admin.ok(["image", "pull", NAME], { timeoutMs: PULL_MS });
    const tokens = registry.seen.filter(({ path }) => path.startsWith("/token"));
    assert.ok(tokens.length > 0 && tokens.every(({ authorization }) => authorization?.startsWith("Basic ")));
    assert.ok(registry.seen.some(({ path }) => path === "/v2/app/web/manifests/1?ns=registry.example"));
    const list = await admin.ok(["image", "list"]);
    assert.match(list, new RegExp(`${NAME}\\s+sha256:${digest}\\s`));
    assert.deepEqual(names(list), [NAME]);
  });

  await t.test("it is kept by its name, and gone when it is removed", async () => {
    assertRefused(await reader.run(["image", "remove", NAME]), /PermissionDenied|not authorized/);
    await admin.ok(["image", "remove", NAME]);
    assert.deepEqual(names(await admin.ok(["image", "list"])), []);
    assertRefused(await admin.run(["image", "remove", NAME]), /NotFound|not found/);
  });

  await t.test("what the registry does not have is not found", async () => {
    assertRefused(await admin.run(["image", "pull", "registry.example/app/web:2"]), /NotFound|not found/);
  });

  await t.test("a password that is taken away is used no more", async () => {
    const { exitCode, stderr } = await reconfigure(configuration({ isKnown: false }));
    assert.equal(exitCode, 0, stderr);
    const hosts = ["read", "/etc/cri/conf.d/hosts/registry.example/hosts.toml"];
    await until(admin, hosts, (text) => (text.includes("Authorization") ? undefined : text));
    assertRefused(await admin.run(["image", "pull", NAME]), /401|[Uu]nauthorized|denied/);
  });

  await t.test("a registry that cannot be a host is refused, and what is there stays", async () => {
    const documents = [config, mirrorDocument("../../etc")].join("---\n");
    const { exitCode, stderr } = await reconfigure(documents);
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /registries\.mirrors\["\.\.\/\.\.\/etc"\]: expected a host/);
    assert.match(await admin.ok(["read", "/etc/cri/conf.d/hosts/registry.example/hosts.toml"]), new RegExp(mirror));
  });
});

/** Boots the disk beside the registry, gives it the configuration with the code of its console, and waits for its API. */
async function startConfigured(): Promise<void> {
  truncateSync(images.path("raw"), DISK_BYTES);
  const dir = join(images.dir, "wires");
  mkdirSync(dir);
  const adapter = ["-netdev", `user,id=registry,net=${NETWORK}`, "-device", "virtio-net-pci,netdev=registry,addr=0x10"];
  machine = await startMachine({
    name: "registries",
    image: images.path("raw"),
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
    wires: { dir, argv: adapter },
  });
  await configure(machine, configuration({ isKnown: true }));
  await answered(admin);
}

/** The owner's configuration with the mirror, to which it is known or not. */
function configuration({ isKnown }: { readonly isKnown: boolean }): string {
  const account = stringify({
    apiVersion: "v1alpha1",
    kind: "RegistryAuthConfig",
    name: mirror,
    username: USER,
    password: PASSWORD,
  });
  return [config, mirrorDocument("registry.example"), ...(isKnown ? [account] : [])].join("---\n");
}

function mirrorDocument(name: string): string {
  const endpoints = [{ url: `http://${mirror}` }];
  return stringify({ apiVersion: "v1alpha1", kind: "RegistryMirrorConfig", name, endpoints, skipFallback: true });
}

/** The images of a list, without its head. */
function names(list: string): readonly string[] {
  const [, ...lines] = list.trimEnd().split("\n");
  return lines.map((line) => line.split(/\s+/)[1] ?? "");
}

/** An image of one file. Returns the manifest's digest. */
async function putImage({ blobs, manifests }: TestRegistry, tag: string): Promise<string> {
  const archive = pack();
  archive.entry({ name: "hello", mtime: new Date(0) }, "world\n");
  archive.finalize();
  const tar = await buffer(archive);
  const put = (mediaType: string, bytes: Buffer): object => {
    blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const about = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    config: {},
  };
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = {
    schemaVersion: 2,
    mediaType: type,
    config: put("application/vnd.oci.image.config.v1+json", Buffer.from(JSON.stringify(about))),
    layers: [put("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(tar))],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  for (const key of [tag, digestOf(bytes)]) manifests.set(key, { type, bytes });
  return digestOf(bytes).slice("sha256:".length);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
