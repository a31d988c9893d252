// SPDX-License-Identifier: Apache-2.0
// What the tests of power cuts rely on: the disk loses what was not flushed, and nothing else.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serveDisk } from "./failing-disk.ts";

const SECTOR = 512;
const [READ, WRITE, FLUSH, WRITE_ZEROES] = [0, 1, 3, 6];

test("a failing disk loses the write at hand, and every other one back to the last flush", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "disk-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "disk.raw");
  writeFileSync(path, "");
  truncateSync(path, 16 * SECTOR);
  const disk = await serveDisk(path);
  t.after(() => disk.close());
  const client = createConnection(disk.image.socket);
  assert.equal((await bytes(client, 152)).readBigUInt64BE(16), BigInt(16 * SECTOR));

  for (const sector of [0, 1, 2, 3]) await ask(client, WRITE, sector, filled("old"));
  await ask(client, FLUSH, 0);
  await ask(client, WRITE, 0, filled("new"));
  await ask(client, WRITE, 1, filled("new"));
  await ask(client, WRITE_ZEROES, 2);
  await ask(client, READ, 0);
  assert.deepEqual(await bytes(client, SECTOR), filled("new"), "what was written is read before it is flushed");
  const failed = disk.failAt(({ offset }) => offset === 3 * SECTOR);
  client.write(request(WRITE, 3, filled("new")));
  await failed;
  await once(client, "close");
  await once(createConnection(disk.image.socket), "close"); // the power stays off
  disk.powerOn();
  const next = createConnection(disk.image.socket);
  assert.equal((await bytes(next, 152)).toString("latin1", 0, 8), "NBDMAGIC");

  const left = [0, 1, 2, 3].map((sector) => disk.onMedium(sector * SECTOR, SECTOR));
  assert.deepEqual(left, [filled("new"), filled("old"), Buffer.alloc(SECTOR), filled("old")]);
});

function filled(text: string): Buffer {
  return Buffer.alloc(SECTOR, text);
}

function request(type: number, sector: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x2560_9513, 0);
  head.writeUInt16BE(type, 6);
  head.write("request1", 8);
  head.writeBigUInt64BE(BigInt(sector * SECTOR), 16);
  head.writeUInt32BE(type === FLUSH ? 0 : SECTOR, 24);
  return Buffer.concat([head, data]);
}

/** Sends a request and reads the reply, up to the data of a read. */
async function ask(client: Socket, type: number, sector: number, data?: Buffer): Promise<void> {
  client.write(request(type, sector, data));
  assert.equal((await bytes(client, 16)).toString("latin1"), "\x67\x44\x66\x98\0\0\0\0request1");
}

async function bytes(client: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const chunk = client.read(count) as Buffer | null;
    if (chunk !== null) return chunk;
    await once(client, "readable");
  }
}
