// SPDX-License-Identifier: Apache-2.0
// A machine with four adapters gets a configuration from the stock client: a VLAN on a bond whose links are chosen by
// their driver, an adapter chosen by its address, and one by its name with leases of both versions beside a static address.
// What it made of that is read back through the API, and judged from outside: a second machine with dnsmasq gives the
// leases and says what it reaches. Then cables are pulled and put back, and the configuration changes.
import assert from "node:assert/strict";
import { mkdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { parseAllDocuments, stringify } from "yaml";
import { buildImages } from "../foreign/built-images.ts";
import { answered, eventually, until } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import { mainDocument } from "../os/cluster.ts";
import { makeOwner } from "./machine-owner.ts";
import { machineWires, startPeer } from "./network-peer.ts";

/** In which the peer says when it reaches something no more. */
const PING_MS = 3000;
const DISK_BYTES = 2 ** 30;
/** QEMU's own, on which the API is reached. */
const FIRST_MAC = "52:54:00:12:34:56";
const ADAPTERS = [
  { id: "left", model: "e1000e", mac: "52:54:00:00:00:01", slot: 16, segment: 0 },
  { id: "right", model: "e1000e", mac: "52:54:00:00:00:02", slot: 17, segment: 0 },
  { id: "named", model: "virtio-net-pci", mac: "52:54:00:00:00:03", slot: 18, segment: 1 },
] as const;

/** What the VLAN has beside its number and address; a change of the configuration takes it away. */
const EXTRAS = { mtu: 1400, routes: [{ network: "10.8.0.0/16", gateway: "10.7.0.1", metric: 50 }] };

const DOCUMENTS = [
  { kind: "HostnameConfig", hostname: "wired" },
  { kind: "LinkConfig", name: "enp0s18", mtu: 1480, addresses: [{ address: "10.10.0.2/24" }] },
  { kind: "DHCPv4Config", name: "enp0s18", routeMetric: 2000 },
  { kind: "DHCPv6Config", name: "enp0s18" },
  { kind: "ResolverConfig", nameservers: [{ address: "10.7.0.1" }], searchDomains: { domains: ["test.example"] } },
  { kind: "StaticHostConfig", name: "10.8.0.1", hostnames: ["behind"] },
];

const images = await buildImages(["raw"]);
const { port, admin, config, configure, reconfigure } = await makeOwner(images.dir);
const wiresDir = join(images.dir, "wires");
mkdirSync(wiresDir);
const peer = startPeer("network peer", wiresDir);
after(() => peer.cut());
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

test("a machine follows the network of its configuration on a real kernel", async (t) => {
  const running = await startConfigured();

  await t.test("the bond has the links of the driver, and the VLAN its size and number", async () => {
    const links = await resources("links", (all) => all.get("bond0.7")?.["linkState"] === true);
    const bond = links.get("bond0");
    assert.equal(bond?.["kind"], "bond");
    assert.match(JSON.stringify(bond["bondMaster"]), /"mode":"active-backup".*"miimon":100/);
    for (const name of ["enp0s16", "enp0s17"]) {
      assert.equal(links.get(name)?.["masterIndex"], bond["index"], name);
      assert.equal(links.get(name)?.["driver"], "e1000e");
    }
    assert.equal(links.get("bond0.7")?.["mtu"], 1400);
    assert.match(JSON.stringify(links.get("bond0.7")?.["vlan"]), /"vlanID":7/);
    assert.equal(links.get("enp0s18")?.["mtu"], 1480);
    assert.equal(links.get("enp0s18")?.["busPath"], "0000:00:12.0");
  });

  await t.test("the other machine reaches its static addresses, and gave the leases", async () => {
    for (const name of ["vlan", "route", "static", "lease4", "lease6"]) await peer.says(name, "reached");
    assert.match(peer.log(), /DHCPACK\(eth1\) 10\.9\.0\.77 52:54:00:00:00:03/);
    assert.match(peer.log(), /DHCPREPLY\(eth1\) fd00:9::77 /);
  });

  await t.test("addresses, routes, names and resolvers are as configured", async () => {
    const addresses = await resources("addresses", (all) => all.has("enp0s18/fd00:9::77/128"));
    for (const id of ["bond0.7/10.7.0.2/24", "enp0s18/10.10.0.2/24", "enp0s18/10.9.0.77/24"])
      assert.ok(addresses.has(id), `no ${id} in ${[...addresses.keys()].join(" ")}`);
    const routes = [...(await resources("routes", () => true)).values()].map(routeText);
    for (const route of [
      "10.8.0.0/16 via 10.7.0.1 dev bond0.7 metric 50",
      "default via 10.9.0.1 dev enp0s18 metric 2000",
    ])
      assert.ok(routes.includes(route), `no ${route} in\n${routes.join("\n")}`);
    assert.ok(
      routes.some((r) => /^default via fe80:\S+ dev enp0s18 /.test(r)),
      "no router was learned",
    );
    assert.equal(await admin.ok(["read", "/etc/resolv.conf"]), "search test.example\nnameserver 10.7.0.1\n");
    assert.match(await admin.ok(["read", "/etc/hosts"]), /^10\.8\.0\.1 behind$/m);
    assert.match(await admin.ok(["get", "hostname"]), /\bwired\b/);
  });

  await t.test("no link is shown that only a driver wanted", async () => {
    const names = [...(await resources("links", () => true)).keys()];
    assert.deepEqual(names.sort(), ["bond0", "bond0.7", "enp0s16", "enp0s17", "enp0s18", "enp0s2", "lo"]);
  });

  await t.test("the bond goes on with one cable, and comes back when both were pulled", async () => {
    await running.setLink("left", false);
    await activeSlave("enp0s17");
    await setTimeout(PING_MS);
    await peer.says("vlan", "reached");
    await running.setLink("right", false);
    await peer.says("vlan", "lost");
    await running.setLink("left", true);
    await peer.says("vlan", "reached");
    await activeSlave("enp0s16");
    await running.setLink("right", true);
  });

  await t.test("leases end with the cable and come back with it, static addresses stay", async () => {
    await running.setLink("named", false);
    const without = (all: Resources): boolean => !all.has("enp0s18/10.9.0.77/24") && !all.has("enp0s18/fd00:9::77/128");
    assert.ok((await resources("addresses", without)).has("enp0s18/10.10.0.2/24"));
    await peer.says("lease6", "lost");
    await running.setLink("named", true);
    const both = (all: Resources): boolean => all.has("enp0s18/10.9.0.77/24") && all.has("enp0s18/fd00:9::77/128");
    await resources("addresses", both);
    await peer.says("lease6", "reached");
  });

  await t.test("a change is in force at once, and what is left out is gone", async () => {
    const { exitCode, stderr } = await reconfigure(configuration({}));
    assert.equal(exitCode, 0, stderr);
    await resources("links", (all) => all.get("bond0.7")?.["mtu"] === 1500);
    await resources("routes", (all) => ![...all.values()].map(routeText).some((r) => r.startsWith("10.8.0.0/16")));
  });
});

/** Boots the disk, gives it the configuration with the code of its console, and waits for its API. */
async function startConfigured(): Promise<DrivenMachine> {
  truncateSync(images.path("raw"), DISK_BYTES);
  machine = await startMachine({
    name: "network",
    image: images.path("raw"),
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
    wires: machineWires(wiresDir, ADAPTERS),
  });
  await configure(machine, configuration(EXTRAS));
  await answered(admin);
  return machine;
}

/** The owner's configuration with the network of this test, whose VLAN has these fields as well. */
function configuration(vlan: object): string {
  const main = mainDocument(config);
  const interfaces = [
    { deviceSelector: { hardwareAddr: FIRST_MAC }, dhcp: true },
    {
      interface: "bond0",
      bond: { mode: "active-backup", miimon: 100, deviceSelectors: [{ driver: "e1000e" }] },
      vlans: [{ vlanId: 7, addresses: ["10.7.0.2/24"], ...vlan }],
    },
  ];
  const documents = DOCUMENTS.map((document) => ({ apiVersion: "v1alpha1", ...document }));
  return [{ ...main, machine: { ...main.machine, network: { interfaces } } }, ...documents]
    .map((d) => stringify(d))
    .join("---\n");
}

type Spec = Readonly<Record<string, unknown>>;
type Resources = ReadonlyMap<string, Spec>;

/** The resources of a kind by id, as soon as they are as they must be. */
function resources(kind: string, isRight: (all: Resources) => boolean): Promise<Resources> {
  return until(admin, ["get", kind, "-o", "yaml"], (stdout) => {
    const documents = parseAllDocuments(stdout).map((d) => d.toJS() as { metadata: { id: string }; spec: Spec } | null);
    const all = new Map(documents.flatMap((d) => (d === null ? [] : [[d.metadata.id, d.spec] as const])));
    return isRight(all) ? all : undefined;
  });
}

/** As `ip route` shows it. */
function routeText(spec: Spec): string {
  const { dst, gateway, outLinkName, priority } = spec as Readonly<Record<string, string | number>>;
  return `${dst === "" ? "default" : dst} via ${gateway} dev ${outLinkName} metric ${priority}`;
}

async function activeSlave(name: string): Promise<void> {
  await eventually(admin, ["read", "/proc/net/bonding/bond0"], new RegExp(`^Currently Active Slave: ${name}$`, "m"));
}
