// SPDX-License-Identifier: Apache-2.0
// A network of QEMU for machines that fetch images: the host's loopback, and with it a test's registry, has an address
// there, and a port of the host may lead into the machine.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Wires } from "../../builder/host/machine.ts";
import type { PortForward } from "../../builder/host/qemu-args.ts";
import type { TestRegistry } from "../registry/test-registry.ts";

const NETWORK = "10.1.0.0/24";
const HOST = "10.1.0.2";

/** No time server answers on this network: a machine need not wait for one. */
export const NO_TIME_SERVER: string = stringify({ apiVersion: "v1alpha1", kind: "TimeSyncConfig", enabled: false });

/** The adapter of a machine, with a folder of its own below `dir`. */
export function registryWires(dir: string, forward?: PortForward): Wires {
  const wires = join(dir, "wires");
  mkdirSync(wires, { recursive: true });
  const port = forward === undefined ? "" : `,hostfwd=tcp:127.0.0.1:${forward.hostPort}-:${forward.guestPort}`;
  const netdev = `user,id=registry,net=${NETWORK}${port}`;
  return { dir: wires, argv: ["-netdev", netdev, "-device", "virtio-net-pci,netdev=registry,addr=0x10"] };
}

/** Host and port under which machines reach a registry. */
export function mirrorOf(registry: TestRegistry): string {
  return `${HOST}:${registry.host.split(":")[1]}`;
}

/** Has a machine ask the mirror, and nobody else, for the images of a registry. */
export function mirrorDocument(name: string, mirror: string): string {
  const endpoints = [{ url: `http://${mirror}` }];
  return stringify({ apiVersion: "v1alpha1", kind: "RegistryMirrorConfig", name, endpoints, skipFallback: true });
}
