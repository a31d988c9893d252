// SPDX-License-Identifier: Apache-2.0
// A disk whose power can fail at a chosen write. It serves a raw image and keeps what the guest has written in memory, as
// a drive's cache does, until the guest flushes. When the power fails, the write at hand is lost, the one before it
// survives, the one before that is lost, and so on back to the last flush: a drive writes in any order.
// Spec: NetworkBlockDevice/nbd doc/proto.md, "Oldstyle negotiation", "Transmission". Left out: what the flags do not
// offer, such as FUA and discard. Requests are never torn: the tests of the Go code do that.
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, statSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { ServedDisk } from "../../builder/host/qemu-args.ts";

const GREETING_BYTES = 152;
const REQUEST_BYTES = 28;
const REQUEST_MAGIC = 0x2560_9513;
const REPLY_MAGIC = 0x6744_6698;
const HAS_FLAGS = 1;
const SEND_FLUSH = 1 << 2;
const SEND_WRITE_ZEROES = 1 << 6;
const [READ, WRITE, DISCONNECT, FLUSH, WRITE_ZEROES] = [0, 1, 2, 3, 6];

/** In bytes from the start of the disk. */
export interface DiskWrite {
  readonly offset: number;
  readonly data: Buffer;
}

export interface FailingDisk {
  readonly image: ServedDisk;
  /** Resolves when the power has failed, which it does at the first write that fits. Nothing works until `powerOn`. */
  readonly failAt: (isMoment: (write: DiskWrite) => boolean) => Promise<void>;
  /** The power fails now. */
  readonly fail: () => void;
  /** For the next machine: QEMU would connect again by itself, and a guest without power go on. */
  readonly powerOn: () => void;
  /** What would be there after a power failure in which everything unflushed is lost. */
  readonly onMedium: (offset: number, length: number) => Buffer;
  /** What the machine at hand has asked for, for whoever wonders why it waits. */
  readonly activity: () => string;
  readonly close: () => void;
}

/** Serves the image at `path` to one machine after another. The socket lies in a folder of its own beside it. */
export async function serveDisk(path: string): Promise<FailingDisk> {
  const socket = join(mkdtempSync(join(dirname(path), "served-")), "disk");
  const medium = openMedium(path);
  const bytes = statSync(path).size;
  let isMoment = (_write: DiskWrite): boolean => false;
  let failed = (): void => undefined;
  let connection: Socket | undefined;
  let isOff = false;
  const fail = (): void => {
    isOff = true;
    connection?.destroy();
    medium.losePower();
    isMoment = () => false;
    failed();
  };
  const write = (request: DiskWrite): void => {
    medium.write(request);
    if (isMoment(request)) fail();
  };
  let activity: Activity = { requests: 0, waitingBytes: 0 };
  const server = createServer((client) => {
    if (isOff) {
      client.destroy();
      return;
    }
    connection = client;
    activity = { requests: 0, waitingBytes: 0 };
    client.on("error", () => client.destroy()); // QEMU was killed
    client.write(greeting(bytes));
    serve(client, { ...medium, write }, activity);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const failAt = (wanted: typeof isMoment): Promise<void> => {
    isMoment = wanted;
    return new Promise((resolve) => (failed = resolve));
  };
  const powerOn = (): void => {
    isOff = false;
  };
  const close = (): void => {
    connection?.destroy();
    server.close();
    medium.close();
  };
  const describe = (): string =>
    `${activity.requests} requests answered, ${activity.waitingBytes} bytes of another one here, ${connection?.writableLength} not yet sent`;
  return { image: { socket }, failAt, fail, powerOn, onMedium: medium.onMedium, activity: describe, close };
}

interface Medium {
  readonly read: (offset: number, length: number) => Buffer;
  readonly onMedium: (offset: number, length: number) => Buffer;
  readonly write: (request: DiskWrite) => void;
  readonly flush: () => void;
  readonly losePower: () => void;
  readonly close: () => void;
}

function openMedium(path: string): Medium {
  const file = openSync(path, "r+");
  let cache: DiskWrite[] = [];
  const onMedium = (offset: number, length: number): Buffer => {
    const data = Buffer.alloc(length);
    readSync(file, data, 0, length, offset);
    return data;
  };
  const read = (offset: number, length: number): Buffer => {
    const data = onMedium(offset, length);
    for (const written of cache) overlay(data, offset, written);
    return data;
  };
  const settle = (writes: readonly DiskWrite[]): void => {
    for (const { offset, data } of writes) writeSync(file, data, 0, data.length, offset);
    cache = [];
  };
  return {
    read,
    onMedium,
    write: (request) => void cache.push(request),
    flush: () => settle(cache),
    losePower: () => settle(cache.filter((_, index) => (cache.length - index) % 2 === 0)),
    close: () => closeSync(file),
  };
}

/** Puts those bytes of a write into `data` that lie in it; `start` is where `data` begins. */
function overlay(data: Buffer, start: number, { offset, data: written }: DiskWrite): void {
  const from = Math.max(start, offset);
  const to = Math.min(start + data.length, offset + written.length);
  if (from < to) written.copy(data, from - start, from - offset, to - offset);
}

/** The server's whole part in the oldstyle negotiation. */
function greeting(bytes: number): Buffer {
  const message = Buffer.alloc(GREETING_BYTES);
  message.write("NBDMAGIC", 0, "ascii"); //                                          0..7
  message.writeBigUInt64BE(0x0000_4202_8186_1253n, 8); //                            8..15  magic of this negotiation
  message.writeBigUInt64BE(BigInt(bytes), 16); //                                   16..23  size of the disk
  message.writeUInt32BE(HAS_FLAGS | SEND_FLUSH | SEND_WRITE_ZEROES, 24); //         24..27  the rest is zeros
  return message;
}

interface Activity {
  requests: number;
  waitingBytes: number;
}

/** Answers the requests of a client, in order, until it goes. */
function serve(client: Socket, medium: Medium, activity: Activity): void {
  let input: Buffer = Buffer.alloc(0);
  client.on("data", (chunk: Buffer) => {
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
    for (let used = answer(client, medium, input); used > 0; used = answer(client, medium, input)) {
      input = input.subarray(used);
      activity.requests++;
    }
    activity.waitingBytes = input.length;
  });
}

/** Carries out the request at the start of `input`; returns how many bytes it has, or 0 while it is not whole. */
function answer(client: Socket, medium: Medium, input: Buffer): number {
  if (client.destroyed || input.length < REQUEST_BYTES) return 0;
  assert.equal(input.readUInt32BE(0), REQUEST_MAGIC);
  const type = input.readUInt16BE(6);
  const offset = Number(input.readBigUInt64BE(16));
  const length = input.readUInt32BE(24);
  const end = REQUEST_BYTES + (type === WRITE ? length : 0);
  if (input.length < end) return 0;
  const reply = Buffer.alloc(16); // magic, error (none), and the client's own number for the request
  reply.writeUInt32BE(REPLY_MAGIC, 0);
  input.copy(reply, 8, 8, 16);
  switch (type) {
    case READ:
      client.write(Buffer.concat([reply, medium.read(offset, length)]));
      return end;
    case WRITE:
      medium.write({ offset, data: Buffer.from(input.subarray(REQUEST_BYTES, end)) });
      break;
    case WRITE_ZEROES:
      medium.write({ offset, data: Buffer.alloc(length) });
      break;
    case FLUSH:
      medium.flush();
      break;
    case DISCONNECT:
      client.end();
      return end;
    default:
      throw new Error(`BUG: QEMU asks for request ${type}, which was not offered`);
  }
  if (!client.destroyed) client.write(reply);
  return end;
}
