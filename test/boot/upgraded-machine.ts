// SPDX-License-Identifier: Apache-2.0
// Another version of the system: the stock client asks for it, the machine fetches it from a registry of this host's loopback,
// tries it once, and keeps it only if it gets well. oras puts the images into the registry, fsck.fat judges the ESP in the end.
import assert from "node:assert/strict";
import { mkdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { after } from "node:test";
import { planAllImages } from "../../builder/artifacts/outputs.ts";
import { blobSource, loadRelease, loadSmallParts } from "../../builder/commands/load-release.ts";
import { writeImageFile } from "../../builder/host/image-file.ts";
import type { Firmware } from "../../builder/host/qemu-args.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { buildImages } from "../foreign/built-images.ts";
import { extractRange } from "../foreign/fat-volume.ts";
import { judge } from "../foreign/judge.ts";
import { assertRefused } from "../os/api-test.ts";
import { startRegistry } from "../registry/test-registry.ts";
import { answered, eventually } from "./asking.ts";
import { NO_TIME_SERVER, mirrorDocument, mirrorOf, registryWires } from "./beside-registry.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import type { Owner } from "./machine-owner.ts";
import { ends, makeOwner } from "./machine-owner.ts";

const DISK_BYTES = 2 ** 30;
const UPGRADE_MS = 240_000;
const END_MS = 240_000;
export const TRIAL_MS = 240_000;
const REPOSITORY = "registry.example/dodeka";
const UPGRADE = ["upgrade", "--drain=false", "--image"];

const images = await buildImages(["raw"]);
const registry = await startRegistry();
after(() => registry.close());
const { core } = images;

/** Versions by their tag: what their kernel arguments have besides. */
const VERSIONS = {
  /** The number of a system that the client asks by the newer of its two ways. */
  "1.13.6": "dodeka.trial=600",
  /** Its kernel panics: nothing is at the path of the first program. */
  "0.3.0": "rdinit=/missing panic=1",
  /** It has no driver for the network adapter. */
  "0.4.0": "initcall_blacklist=virtio_net_driver_init dodeka.trial=15",
} as const;
type Tag = keyof typeof VERSIONS;

/** Has oras copy an installer to the registry. */
async function publish(tag: Tag): Promise<void> {
  const store = await openStore(readSettings().storeDir);
  const { release } = await loadRelease(store);
  const own = core.commandLine.replace(/dodeka\.version=\S+/, `dodeka.version=${tag}`).replace(/ panic=\d+/, "");
  const changed = { ...core, version: tag, commandLine: `${own} panic=5 ${VERSIONS[tag]}` };
  const known = { parts: await loadSmallParts(store, release), blobs: blobSource(store) };
  const [installer] = (await planAllImages(changed, ["installer"], known)).outputs;
  assert.ok(installer !== undefined);
  const path = join(images.dir, `installer-${tag}.tar`);
  const written = await writeImageFile({ layout: installer.layout, blobs: known.blobs, path });
  await written.digest;
  const target = `${registry.host}/dodeka:${tag}`;
  const argv = ["oras", "copy", "--from-oci-layout", `${path}:${tag}`, "--to-plain-http", target];
  const { exitCode, stderr } = await (await judge(true))(argv, [images.dir]);
  assert.equal(exitCode, 0, stderr);
}

/** A machine, its owner, and the version that it runs. */
export class Upgraded {
  readonly owner: Owner;
  /** Of the image that was installed. */
  readonly first: string = core.version;
  readonly #dir: string;
  readonly #disk: string;
  readonly #firmware: Firmware;
  #machine: DrivenMachine | undefined;
  #boots = 0;

  private constructor(owner: Owner, dir: string, disk: string, firmware: Firmware) {
    [this.owner, this.#dir, this.#disk, this.#firmware] = [owner, dir, disk, firmware];
  }

  /** Installs the first version, and puts others into the registry. */
  static async install(firmware: Firmware, tags: readonly Tag[]): Promise<Upgraded> {
    for (const tag of tags) await publish(tag);
    const dir = join(images.dir, firmware);
    mkdirSync(dir);
    const disk = await images.copy("raw", join(firmware, "disk.raw"));
    truncateSync(disk, DISK_BYTES);
    const upgraded = new Upgraded(await makeOwner(dir), dir, disk, firmware);
    const machine = await upgraded.start();
    const mirror = mirrorDocument("registry.example", mirrorOf(registry));
    await upgraded.owner.configure(machine, [upgraded.owner.config, NO_TIME_SERVER, mirror].join("---\n"));
    await upgraded.#settled();
    return upgraded;
  }

  async start(): Promise<DrivenMachine> {
    this.#boots += 1;
    this.#machine = await startMachine({
      name: `upgrade ${this.#firmware} ${this.#boots}`,
      image: this.#disk,
      port: this.owner.port,
      spec: { firmware: this.#firmware, as: "disk", keepsChanges: true },
      wires: registryWires(this.#dir),
      variables: join(this.#dir, "variables.fd"),
    });
    return this.#machine;
  }

  /** Waits until the machine was reset or is off. */
  async ended(): Promise<void> {
    assert.ok(this.#machine !== undefined);
    await ends(this.#machine, END_MS);
  }

  /** Waits for the machine to reset itself, and starts it again. */
  async resets(): Promise<DrivenMachine> {
    await this.ended();
    return this.start();
  }

  /** Asks for a version; the client does not wait for the reboot. */
  async ask(tag: Tag): Promise<void> {
    await this.owner.admin.ok([...UPGRADE, `${REPOSITORY}:${tag}`, "--wait=false"], { timeoutMs: UPGRADE_MS });
  }

  /** Waits until the machine is up, with a version. */
  async runs(version: string): Promise<void> {
    await this.#settled();
    const text = await this.owner.admin.ok(["read", "/proc/cmdline"]);
    assert.ok(text.includes(` dodeka.version=${version} `), text);
  }

  /** Waits until images can be fetched. */
  async #settled(): Promise<void> {
    await answered(this.owner.admin);
    await eventually(this.owner.admin, ["service", "containerd"], /^HEALTH\s+OK$/m);
  }

  async cut(): Promise<void> {
    await this.#machine?.cut();
  }

  /** fsck.fat must find nothing wrong with the ESP. */
  async checkEsp(): Promise<void> {
    const { offset = 0, size = 0 } = images.planOf("raw").partitions[0] ?? {};
    const volume = extractRange(this.#disk, offset, size, join(this.#dir, "esp"));
    const { exitCode, stdout } = await (await judge())(["fsck.fat", "-n", volume], [this.#dir]);
    assert.equal(exitCode, 0, stdout);
  }
}

/** The steps that every firmware must take: refusals, a version that is kept, and the same version again. */
export async function upgradeOnce(t: TestContext, upgraded: Upgraded): Promise<void> {
  const { admin, reader } = upgraded.owner;
  await t.test("who may not, and what is no version, is refused", async () => {
    assertRefused(
      await reader.run([...UPGRADE, `${REPOSITORY}:1.13.6`, "--wait=false"]),
      /PermissionDenied|not authorized/,
    );
    assertRefused(await admin.run([...UPGRADE, `${REPOSITORY}:9`, "--wait=false"]), /NotFound|not found/);
    assertRefused(await admin.run(["rollback"]), /no other version/);
  });

  await t.test("the client follows the machine into the version, which is kept once it is well", async () => {
    const followed = admin.run([...UPGRADE, `${REPOSITORY}:1.13.6`], { timeoutMs: UPGRADE_MS });
    const machine = await upgraded.resets();
    await machine.waitFor(/upgrade: version 1\.13\.6 is tried/, TRIAL_MS);
    await machine.waitFor(/upgrade: version 1\.13\.6 is kept/, TRIAL_MS);
    await upgraded.runs("1.13.6");
    const { exitCode, stderr } = await followed;
    assert.equal(exitCode, 0, stderr);
  });

  await t.test("it is refused a second time", async () => {
    const again = await admin.run([...UPGRADE, `${REPOSITORY}:1.13.6`, "--wait=false"], { timeoutMs: UPGRADE_MS });
    assertRefused(again, /runs this version already/);
  });
}

/** Ends the machine and looks at what it leaves. */
export async function checkEnd(t: TestContext, upgraded: Upgraded): Promise<void> {
  await t.test("the ESP is whole", async () => {
    await upgraded.owner.admin.ok(["shutdown", "--wait=false"]);
    await upgraded.ended();
    await upgraded.checkEsp();
  });
}
