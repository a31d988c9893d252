// SPDX-License-Identifier: Apache-2.0
// What each platform tells a machine: a boot for each source, with a fake of its metadata service on this host or a medium
// such as the platform's. The machine gets its configuration from there and nowhere else, keeps it, and becomes ready; the
// owner's client is let in, and sees the name and the identity that the platform gave.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { buildImages } from "../foreign/built-images.ts";
import { judge, openBox } from "../foreign/judge.ts";
import { serve } from "../host/local-server.ts";
import { answered, eventually } from "./asking.ts";
import { startMachine } from "./driven-machine.ts";
import { makeOwner, ready } from "./machine-owner.ts";

/** Each names the machine "machine", some with a domain behind it. */
interface Source {
  readonly name: string;
  /** Value of dodeka.platform. */
  readonly platform: string;
  /** What the service answers, by method and path. */
  readonly answers?: Readonly<Record<string, string>>;
  /** What every GET must carry. */
  readonly header?: readonly [name: string, value: string];
  /** Files of a medium with this label. */
  readonly medium?: { readonly label: string; readonly files: Readonly<Record<string, string>> };
  readonly qemu?: readonly string[];
  readonly providerId: string;
}

const DISK_BYTES = 2 ** 30;
const SERVICE = "169.254.169.254";
const NETWORK = "169.254.169.0/24";
const AWS_TOKEN = "dG9rZW4=";

const images = await buildImages(["raw", "kernel", "initramfs", "cmdline"]);
const { port, admin, config } = await makeOwner(images.dir);
const base64 = Buffer.from(config).toString("base64");
const commandLine = readFileSync(images.path("cmdline"), "ascii").trim();

const AZURE_ID = "/subscriptions/1/resourceGroups/Racks/providers/Microsoft.Compute/virtualMachines/vm";
const SOURCES: readonly Source[] = [
  {
    name: "AWS",
    platform: "aws",
    header: ["x-aws-ec2-metadata-token", AWS_TOKEN],
    answers: {
      "PUT /latest/api/token": AWS_TOKEN,
      "GET /latest/user-data": config,
      "GET /latest/meta-data/local-hostname": "machine.aws.example",
      "GET /latest/meta-data/instance-id": "i-1",
      "GET /latest/meta-data/placement/availability-zone": "eu-1a",
    },
    providerId: "aws:///eu-1a/i-1",
  },
  {
    name: "Google Cloud",
    platform: "gcp",
    header: ["metadata-flavor", "Google"],
    answers: {
      "GET /computeMetadata/v1/instance/?recursive=true&alt=json": JSON.stringify({
        id: 7,
        name: "vm",
        hostname: "machine.gcp.example",
        zone: "projects/1/zones/eu-1a",
        attributes: { "user-data": config },
      }),
      "GET /computeMetadata/v1/project/project-id": "racks",
    },
    providerId: "gce://racks/eu-1a/vm",
  },
  {
    name: "Hetzner Cloud",
    platform: "hcloud",
    answers: {
      "GET /hetzner/v1/metadata/hostname": "machine",
      "GET /hetzner/v1/metadata/instance-id": "7",
      "GET /hetzner/v1/userdata": base64,
    },
    providerId: "hcloud://7",
  },
  {
    name: "OpenStack's service",
    platform: "openstack",
    answers: {
      "GET /openstack/latest/meta_data.json": JSON.stringify({ uuid: "u-1", hostname: "machine.openstack.example" }),
      "GET /openstack/latest/user_data": config,
    },
    providerId: "openstack:///u-1",
  },
  {
    name: "OpenStack's drive",
    platform: "openstack",
    medium: {
      label: "config-2",
      files: {
        "openstack/latest/meta_data.json": JSON.stringify({ uuid: "u-2", hostname: "machine" }),
        "openstack/latest/user_data": config,
      },
    },
    providerId: "openstack:///u-2",
  },
  {
    name: "Azure",
    platform: "azure",
    header: ["metadata", "true"],
    answers: {
      "GET /metadata/instance?api-version=2021-02-01&format=json": JSON.stringify({
        compute: { name: "machine", location: "eu", resourceId: AZURE_ID },
      }),
    },
    medium: {
      label: "provisioning",
      files: { "ovf-env.xml": `<Environment><CustomData>${base64}</CustomData></Environment>` },
    },
    providerId: `azure://${AZURE_ID.replace("Racks", "racks")}`,
  },
  {
    name: "a NoCloud medium",
    platform: "nocloud",
    medium: {
      label: "cidata",
      files: { "meta-data": "local-hostname: machine\nprovider-id: nocloud://1\n", "user-data": config },
    },
    providerId: "nocloud://1",
  },
  {
    name: "a NoCloud URL",
    platform: "nocloud",
    qemu: ["-smbios", `type=1,serial=ds=nocloud;s=http://${SERVICE}/seed/;h=machine`],
    answers: { "GET /seed/meta-data": "provider-id: nocloud://2\n", "GET /seed/user-data": config },
    providerId: "nocloud://2",
  },
];

for (const source of SOURCES) {
  test(`a machine gets its configuration from ${source.name}`, async () => {
    const dir = join(images.dir, source.name.replaceAll(/\W+/g, "-"));
    mkdirSync(dir);
    const disk = join(dir, "disk.raw");
    copyFileSync(images.path("raw"), disk);
    truncateSync(disk, DISK_BYTES);
    const machine = await startMachine({
      name: `platform ${source.name}`,
      image: {
        kernel: images.path("kernel"),
        initramfs: images.path("initramfs"),
        commandLine: commandLine.replace("dodeka.platform=metal", `dodeka.platform=${source.platform}`),
      },
      spareDisk: disk,
      port,
      spec: { firmware: "bios" },
      wires: await attach(dir, source),
    });
    try {
      await ready(machine);
      await answered(admin);
      const facts = await eventually(admin, ["get", "platformmetadata", "-o", "yaml"], /providerId: /);
      assert.match(facts, new RegExp(`^ +platform: ${source.platform}$`, "m"));
      assert.ok(facts.includes(`providerId: ${source.providerId}\n`), facts);
      await eventually(admin, ["get", "hostname", "-o", "yaml"], /^ +hostname: machine$/m);
      const kept = await eventually(admin, ["read", "/system/state/config.yaml"], /./);
      assert.ok(kept.endsWith(`\n${config}`), "STATE has something else than the configuration");
    } finally {
      await machine.cut();
    }
  });
}

/** A second network with the source's service, and its medium. */
async function attach(dir: string, source: Source): Promise<{ dir: string; argv: readonly string[] }> {
  const wires = join(dir, "wires");
  mkdirSync(wires);
  const { root } = await openBox("network-peer");
  copyFileSync(join(root, "usr/bin/busybox"), join(wires, "busybox"));
  // QEMU starts the command for each connection to the address, and is its other end.
  const relay = `guestfwd=tcp:${SERVICE}:80-cmd:/var/tmp/wires/busybox nc 127.0.0.1 ${await startService(source)}`;
  const network = `user,id=cloud,restrict=on,net=${NETWORK},${relay}`;
  const argv = ["-netdev", network, "-device", "virtio-net-pci,netdev=cloud,addr=0x10", ...(source.qemu ?? [])];
  if (source.medium === undefined) return { dir: wires, argv };
  await makeMedium(join(wires, "medium.iso"), source.medium);
  const drive = "if=none,id=medium,format=raw,readonly=on,file=/var/tmp/wires/medium.iso";
  return { dir: wires, argv: [...argv, "-drive", drive, "-device", "virtio-blk-pci,drive=medium"] };
}

/** The port of a fake service, which has nothing for whoever asks otherwise than the platform wants it. */
async function startService({ answers = {}, header }: Source): Promise<string> {
  const isAllowed = ({ method, headers }: IncomingMessage): boolean => {
    if (method === "PUT") return headers["x-aws-ec2-metadata-token-ttl-seconds"] !== undefined;
    return header === undefined || headers[header[0]] === header[1];
  };
  const { base } = await serve((request, response) => {
    const answer = answers[`${request.method} ${request.url}`];
    const status = answer === undefined ? 404 : isAllowed(request) ? 200 : 401;
    response.writeHead(status, { connection: "close" }).end(status === 200 ? answer : undefined);
  });
  return new URL(base).port;
}

async function makeMedium(path: string, { label, files }: NonNullable<Source["medium"]>): Promise<void> {
  const tree = `${path}.files`;
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(tree, name, ".."), { recursive: true });
    writeFileSync(join(tree, name), content);
  }
  const xorriso = await judge();
  const argv = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", label, "-o", path, tree];
  const { exitCode, stderr } = await xorriso(argv, [join(path, "..")]);
  assert.equal(exitCode, 0, stderr);
}
