// SPDX-License-Identifier: Apache-2.0
// What the machine is for: its configuration names pods, and how registries are reached. The kubelet has containerd fetch
// their images through a mirror and with a password, and runc start them, one on the machine's network and one on that of
// the pods, which CNI's plugins make; the stock client sees them run, and has further images fetched. The registry is a
// server of this host's loopback; its images hold busybox.
import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { join } from "node:path";
import { after, test } from "node:test";
import { pack } from "tar-stream";
import { stringify } from "yaml";
import { buildImages } from "../foreign/built-images.ts";
import { openBox } from "../foreign/judge.ts";
import { assertRefused } from "../os/api-test.ts";
import { mainDocument } from "../os/cluster.ts";
import { PASSWORD, USER, startRegistry } from "../registry/test-registry.ts";
import { answered, eventually, until } from "./asking.ts";
import { NO_TIME_SERVER, mirrorDocument, mirrorOf, registryWires } from "./beside-registry.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { freePort, startMachine } from "./driven-machine.ts";
import { ends, makeOwner, ready } from "./machine-owner.ts";

const DISK_BYTES = 2 ** 30;
const NAME = "registry.example/app/web:1";
const POD_IMAGE = "registry.example/app/pod:1";
/** Of every pod, by containerd's default. */
const PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2";
const PULL_MS = 60_000;
const END_MS = 240_000;
const PAGE_MS = 120_000;
const ANSWER_MS = 10_000;

const registry = await startRegistry({ auth: "bearer" });
after(() => registry.close());
const digest = registry.addImage(["1", "3.10.2"], await busybox(), { Entrypoint: ["/bin/busybox", "sleep", "86400"] });
const mirror = mirrorOf(registry);

const images = await buildImages(["raw"]);
const { port, admin, reader, config, configure, reconfigure } = await makeOwner(images.dir);
const webPort = await freePort();
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

/** A program of its own that the host sees, a file on a disk of the host, and the limits of its control group. */
const POD = pod("web", "cat /proc/self/cgroup /sys/fs/cgroup/memory.max >/data/state; echo is up; sleep 86400", {
  hostNetwork: true,
  container: {
    resources: { limits: { memory: "64Mi" } },
    volumeMounts: [{ name: "data", mountPath: "/data" }],
  },
  volumes: [{ name: "data", hostPath: { path: "/var/lib/app", type: "DirectoryOrCreate" } }],
});

const WEB_PORT = 8080;
/**
 * Has an address and a way out of its own, and answers at a port of the machine. The host's registry refuses it for want of
 * a password, which is an answer.
 */
const CONNECTED_POD = pod(
  "connected",
  `cd /tmp; ip -o addr show eth0 >own; wget -O - http://${mirror}/v2/ >out 2>&1; exec httpd -f -p 80`,
  {
    container: {
      ports: [{ containerPort: 80, hostPort: WEB_PORT }],
      volumeMounts: [{ name: "files", mountPath: "/tmp" }],
    },
    volumes: [{ name: "files", emptyDir: {} }],
  },
);

interface PodParts {
  readonly container: object;
  readonly volumes: readonly object[];
  readonly hostNetwork?: boolean;
}

/** A pod whose only container runs these commands. */
function pod(name: string, commands: string, { container, ...spec }: PodParts): object {
  const command = ["/bin/busybox", "sh", "-c", commands];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { ...spec, containers: [{ name: "app", image: POD_IMAGE, command, ...container }] },
  };
}

test("a machine runs the pods of its configuration and fetches images as it says", async (t) => {
  truncateSync(images.path("raw"), DISK_BYTES);
  const running = await start("workloads");
  await configure(running, configuration({ isKnown: true }));
  await answered(admin);

  await t.test("the pod runs, in namespaces and a control group of its own", async () => {
    await podRuns();
    assert.equal(await eventually(admin, ["read", "/var/lib/app/state"], /\d$/m), `0::/\n${64 * 2 ** 20}\n`);
    assert.match(await admin.ok(["processes"]), /\/bin\/busybox sleep 86400/);
    assert.match(await reader.ok(["logs", "-k", "default/web-worker:app"]), / stdout F is up$/m);
    await eventually(admin, ["service", "kubelet"], /^STATE\s+Running$/m);
    await eventually(admin, ["service", "kubelet"], /^HEALTH\s+OK$/m);
    const list = names(await admin.ok(["image", "list"]));
    for (const image of [POD_IMAGE, PAUSE_IMAGE]) assert.ok(list.includes(image), `no ${image} in ${list.join(" ")}`);
  });

  await t.test("a pod has an address, a way out, and a port of the machine that leads to it", async () => {
    const own = await page("own");
    assert.match(own, / inet 10\.244\.\d+\.\d+\/16 /);
    assert.match(own, / inet6 fd00:244::[0-9a-f]+\/64 /);
    assert.match(await page("out"), /401 Unauthorized/);
    assert.match(await admin.ok(["get", "links"]), /\bcni0\b/);
    assert.match(await admin.ok(["read", "/run/cni/networks/pods/last_reserved_ip.0"]), /^10\.244\./);
  });

  await t.test("an image comes through the mirror, with the password of the configuration", async () => {
    await admin.ok(["image", "pull", NAME], { timeoutMs: PULL_MS });
    const tokens = registry.seen.filter(({ path }) => path.startsWith("/token"));
    assert.ok(tokens.length > 0 && tokens.every(({ authorization }) => authorization?.startsWith("Basic ")));
    assert.ok(registry.seen.some(({ path }) => path === "/v2/app/web/manifests/1?ns=registry.example"));
    const list = await admin.ok(["image", "list"]);
    assert.match(list, new RegExp(`${NAME}\\s+sha256:${digest}\\s`));
    assert.ok(names(list).includes(NAME));
  });

  await t.test("it is kept by its name, and gone when it is removed", async () => {
    assertRefused(await reader.run(["image", "remove", NAME]), /PermissionDenied|not authorized/);
    await admin.ok(["image", "remove", NAME]);
    assert.ok(!names(await admin.ok(["image", "list"])).includes(NAME));
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
    const { exitCode, stderr } = await reconfigure([config, mirrorDocument("../../etc", mirror)].join("---\n"));
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /registries\.mirrors\["\.\.\/\.\.\/etc"\]: expected a host/);
    assert.match(await admin.ok(["read", "/etc/cri/conf.d/hosts/registry.example/hosts.toml"]), new RegExp(mirror));
  });

  await t.test("a reboot ends the pod and starts it again, without the registry", async () => {
    await admin.ok(["reboot", "--wait=false"]);
    await ends(running, END_MS);
    await ready(await start("workloads rebooted"));
    await answered(admin);
    await podRuns();
    assert.match(await page("own"), / inet 10\.244\./);
  });
});

/** Boots the disk beside the registry. */
async function start(name: string): Promise<DrivenMachine> {
  machine = await startMachine({
    name,
    image: images.path("raw"),
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
    wires: registryWires(images.dir, { hostPort: webPort, guestPort: WEB_PORT }),
  });
  return machine;
}

/** A file that the connected pod serves, asked for through this host and the machine until there is an answer. */
async function page(name: string): Promise<string> {
  const deadline = performance.now() + PAGE_MS;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${webPort}/${name}`, { signal: AbortSignal.timeout(ANSWER_MS) });
      assert.equal(response.status, 200);
      return await response.text();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function podRuns(): Promise<void> {
  await eventually(admin, ["containers", "-k"], /default\/web-worker:app\s.*\bRUNNING\b/);
}

/** The owner's configuration with the pod and the mirrors, to which the machine is known or not. */
function configuration({ isKnown }: { readonly isKnown: boolean }): string {
  const main = mainDocument(config);
  const network = { podSubnets: ["10.244.0.0/16", "fd00:244::/64"] };
  const account = { kind: "RegistryAuthConfig", name: mirror, username: USER, password: PASSWORD };
  return [
    stringify({
      ...main,
      machine: { ...main.machine, pods: [POD, CONNECTED_POD] },
      cluster: { ...main.cluster, network },
    }),
    stringify({ apiVersion: "v1alpha1", kind: "HostnameConfig", hostname: "worker" }),
    NO_TIME_SERVER,
    ...["registry.example", "registry.k8s.io"].map((name) => mirrorDocument(name, mirror)),
    ...(isKnown ? [stringify({ apiVersion: "v1alpha1", ...account })] : []),
  ].join("---\n");
}

/** The images of a list, without its head. */
function names(list: string): readonly string[] {
  const [, ...lines] = list.trimEnd().split("\n");
  return lines.map((line) => line.split(/\s+/)[1] ?? "");
}

/** A layer with busybox. */
async function busybox(): Promise<Buffer> {
  const { root } = await openBox("network-peer");
  const archive = pack();
  archive.entry({ name: "bin/busybox", mode: 0o755, mtime: new Date(0) }, readFileSync(join(root, "usr/bin/busybox")));
  archive.finalize();
  return buffer(archive);
}
