// SPDX-License-Identifier: Apache-2.0
// The power of a machine fails at chosen writes to its disk: amid its first configuration, amid another one and just after
// that was acknowledged, and amid resets. It loses what it had not flushed (failing-disk.ts). Each time it boots: with
// the old configuration or the new one, whole, or in maintenance mode, from where it is configured again.
import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { after, test } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { decodeGpt } from "../../builder/layout/gpt-decode.ts";
import { buildImages } from "../foreign/built-images.ts";
import { answered } from "./asking.ts";
import type { DrivenMachine } from "./driven-machine.ts";
import { startMachine } from "./driven-machine.ts";
import type { DiskWrite } from "./failing-disk.ts";
import { serveDisk } from "./failing-disk.ts";
import { ends, makeOwner, ready, within } from "./machine-owner.ts";

const MIB = 2 ** 20;
const DISK_BYTES = 1024 * MIB;
const SECTOR_BYTES = 512;
const GPT_BYTES = 34 * SECTOR_BYTES;
const STATE_BYTES = 100 * MIB; // userland/internal/volumes
const MOMENT_MS = 240_000;
const END_MS = 240_000;

const images = await buildImages(["raw"]);
const { port, admin, config, configure, reconfigure } = await makeOwner(images.dir);
truncateSync(images.path("raw"), DISK_BYTES);
const disk = await serveDisk(images.path("raw"));
after(() => disk.close());
let machine: DrivenMachine | undefined;
after(() => machine?.cut());

const { meta, state, ephemeral } = findVolumes();
let whole = "";

test("a machine whose power fails boots, with a whole configuration or in maintenance mode", async (t) => {
  await t.test("amid its first configuration, when STATE is made: it asks for one again", async () => {
    const running = await boot("os cut new");
    const cut = disk.failAt(({ offset, data }) => offset === state && !isZero(data));
    await configure(running, numbered(0));
    await powerFails(cut);
    await configureAgain(await boot("os cut making STATE"));
    whole = (await shownConfiguration()).text;
  });

  for (const nth of [1, 5]) {
    await t.test(`at write ${nth} of another configuration: it has the old one or the new one`, async () => {
      const { number } = await shownConfiguration();
      const cut = disk.failAt(nthOf(nth, (offset) => offset >= state && offset < ephemeral));
      const sent = reconfigure(numbered(number + 1));
      await powerFails(cut);
      assert.notEqual((await sent).exitCode, 0, "the configuration was acknowledged before it was safe");
      await boot(`os cut at write ${nth}`);
      const shown = await shownConfiguration();
      assert.ok([number, number + 1].includes(shown.number), `number ${shown.number}`);
      assert.equal(shown.text, whole);
    });
  }

  await t.test("just after the answer: it has the new configuration", async () => {
    const { exitCode, stderr } = await reconfigure(numbered(3));
    disk.fail();
    assert.equal(exitCode, 0, stderr);
    await boot("os cut after the answer");
    assert.deepEqual(await shownConfiguration(), { number: 3, text: whole });
  });

  await t.test("amid writing the plan of a reset: it has its configuration", async () => {
    await cutReset((offset) => offset >= meta && offset < state);
    await boot("os cut planning a reset");
    assert.deepEqual(await shownConfiguration(), { number: 3, text: whole });
  });

  await t.test("amid wiping: it finishes the reset", async () => {
    await cutReset((offset, data) => offset === state && isZero(data));
    await configureAgain(await bootReset("os cut wiping STATE"));
  });

  await t.test("amid a reset of the whole disk: it finishes that, and firmware passes the disk over", async () => {
    await cutReset((offset, data) => offset === ephemeral && isZero(data), []);
    const running = await start("os cut wiping all");
    await running.waitFor(/^dodeka: next reboot/m, END_MS);
    await ends(running, END_MS);
    assert.ok(isZero(disk.onMedium(0, SECTOR_BYTES)), "sector 0 is left");
  });
});

/** META of the shipped table, and what the machine puts behind it. In bytes from the start of the disk. */
function findVolumes(): { readonly meta: number; readonly state: number; readonly ephemeral: number } {
  const { partitions } = decodeGpt(disk.onMedium(SECTOR_BYTES, GPT_BYTES), SECTOR_BYTES);
  const found = partitions.find(({ name }) => name === "META");
  assert.ok(found !== undefined, "no META in the image");
  const behind = (found.lastLba + 1) * SECTOR_BYTES;
  return { meta: found.firstLba * SECTOR_BYTES, state: behind, ephemeral: behind + STATE_BYTES };
}

async function start(name: string): Promise<DrivenMachine> {
  await machine?.cut(); // it still runs when its test failed, and holds the port
  disk.powerOn();
  machine = await startMachine({
    name,
    image: disk.image,
    port,
    spec: { firmware: "bios", as: "disk", keepsChanges: true },
  });
  return machine;
}

async function boot(name: string): Promise<DrivenMachine> {
  const running = await start(name);
  try {
    await ready(running);
  } catch (error) {
    throw new Error(`the disk: ${disk.activity()}`, { cause: error });
  }
  return running;
}

/** Boots a machine that has to finish a reset. */
async function bootReset(name: string): Promise<DrivenMachine> {
  const running = await boot(name);
  assert.match(running.log(), /^dodeka: reset: finished what was begun before$/m);
  return running;
}

/** In maintenance mode, until the machine has its volumes. */
async function configureAgain(running: DrivenMachine): Promise<void> {
  await configure(running, numbered(0));
  await running.waitFor(/^dodeka: phase time /m, MOMENT_MS);
}

/** The guest goes with the power of its disk. */
async function powerFails(cut: Promise<void>): Promise<void> {
  await within(cut, MOMENT_MS, "the moment did not come");
  await machine?.cut();
}

const TWO_VOLUMES = ["--system-labels-to-wipe", "STATE", "--system-labels-to-wipe", "EPHEMERAL"];

/** Asks for a reset, amid which the power fails at the first write that fits. */
async function cutReset(
  fits: (offset: number, data: Buffer) => boolean,
  labels: readonly string[] = TWO_VOLUMES,
): Promise<void> {
  const cut = disk.failAt(({ offset, data }) => fits(offset, data));
  await admin.ok(["reset", "--graceful=false", "--reboot", "--wait=false", ...labels]);
  await powerFails(cut);
}

function nthOf(nth: number, fits: (offset: number) => boolean): (write: DiskWrite) => boolean {
  let count = 0;
  return ({ offset }) => fits(offset) && ++count === nth;
}

function isZero(data: Buffer): boolean {
  return data.equals(Buffer.alloc(data.length));
}

/** The owner's configuration, with a number. */
function numbered(number: number): string {
  const documents = parseAllDocuments(config).map((d) => d.toJS() as { machine?: object });
  const labelled = documents.map((d) =>
    d.machine === undefined ? d : { ...d, machine: { ...d.machine, nodeLabels: { number: `n${number}` } } },
  );
  return labelled.map((d) => stringify(d)).join("---\n");
}

/** What the machine has, with its number apart. None of the files that it read was damaged. */
async function shownConfiguration(): Promise<{ readonly number: number; readonly text: string }> {
  await answered(admin);
  const shown = await admin.ok(["get", "machineconfig", "-o", "jsonpath={.spec}"]);
  const number = Number(/\bnumber: n(\d+)/.exec(shown)?.[1]);
  return { number, text: shown.replaceAll(/\bnumber: n\d+/g, "number: n") };
}
