// SPDX-License-Identifier: Apache-2.0
// Callers that break the protocol: whatever they send, others get their answers and memory stays bounded.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { ADMIN, READER, openApiTest } from "./api-test.ts";

const api = await openApiTest("configured");
const admin = await api.clientOf("admin", ADMIN);
await api.clientOf("reader", READER);
const MIB = 2 ** 20;
const MEMORY_LIMIT_MIB = 200;

const VERSION = "/machine.MachineService/Version";
const APPLY = "/machine.MachineService/ApplyConfiguration";

/** Codes of gRPC's doc/statuscodes.md. */
const OK = "0";
const UNKNOWN = "2";
const INVALID_ARGUMENT = "3";
const PERMISSION_DENIED = "7";
const RESOURCE_EXHAUSTED = "8";
const UNIMPLEMENTED = "12";
const INTERNAL = "13";

interface Call {
  readonly name: string;
  /** Whose certificate is shown. */
  readonly as?: "reader";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: () => Uint8Array;
  readonly want: string;
}

/** A gRPC message: one byte of flags, four of length, and the data. */
function frame(data: Uint8Array, flags = 0, length = data.length): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, data]);
}

const CALLS: readonly Call[] = [
  {
    name: "a message that is no protobuf",
    want: INTERNAL,
    path: APPLY,
    body: () => frame(Buffer.from([0xff, 0xff, 0xff])),
  },
  { name: "a length beyond the data", want: INTERNAL, path: VERSION, body: () => frame(Buffer.from([1]), 0, 500) },
  {
    name: "a length of 4 GiB",
    want: RESOURCE_EXHAUSTED,
    path: APPLY,
    body: () => frame(Buffer.alloc(10), 0, 0xffff_ffff),
  },
  {
    name: "an unknown compression",
    want: UNIMPLEMENTED,
    path: VERSION,
    headers: { "grpc-encoding": "nonsense" },
    body: () => frame(Buffer.alloc(4), 1),
  },
  {
    name: "a message that unpacks to 512 MiB",
    want: RESOURCE_EXHAUSTED,
    path: APPLY,
    headers: { "grpc-encoding": "gzip" },
    body: bomb,
  },
  {
    name: "an unknown method",
    want: UNIMPLEMENTED,
    path: "/machine.MachineService/Nobody",
    body: () => frame(Buffer.alloc(0)),
  },
  { name: "an unknown service", want: UNIMPLEMENTED, path: "/../../etc/passwd", body: () => frame(Buffer.alloc(0)) },
  { name: "a body without frames", want: UNKNOWN, path: VERSION, body: () => Buffer.alloc(3) },
  {
    name: "another content type",
    want: INVALID_ARGUMENT,
    path: VERSION,
    headers: { "content-type": "text/html" },
    body: () => frame(Buffer.alloc(0)),
  },
  {
    name: "roles of its own making",
    want: PERMISSION_DENIED,
    as: "reader",
    path: "/machine.MachineService/Read",
    headers: { "talos-role": "os:admin", "dodeka-self": "apid" },
    body: () => frame(Buffer.from("\n\u000d/etc/hostname", "latin1")),
  },
];

for (const call of CALLS) {
  test(`a call with ${call.name} is refused and harms nobody`, async () => {
    const session = openSession(call.as);
    try {
      assert.equal(await statusOf(session, call), call.want);
    } finally {
      session.destroy();
    }
    await assertUnharmed();
  });
}

test("a call that keeps to the protocol is answered", async () => {
  const session = openSession();
  assert.equal(
    await statusOf(session, { name: "good", want: OK, path: VERSION, body: () => frame(Buffer.alloc(0)) }),
    OK,
  );
  session.destroy();
});

test("garbage instead of TLS harms nobody", async () => {
  for (const bytes of ["", "GET / HTTP/1.1\r\n\r\n", "\u0016\u0003\u0001\u00ff\u00ff", "\0".repeat(MIB)]) {
    const [host, port] = api.host.address.split(":");
    const socket = connectTcp({ host: host ?? "", port: Number(port) });
    socket.on("error", () => undefined);
    socket.write(bytes);
    await setTimeout(100);
    socket.destroy();
  }
  await assertUnharmed();
});

test("connections that say nothing do not shut other addresses out", async () => {
  const [host, port] = api.host.address.split(":");
  const idle = Array.from({ length: 300 }, () =>
    connectTcp({ host: host ?? "", port: Number(port), localAddress: "127.0.0.2" }),
  );
  for (const socket of idle) socket.on("error", () => undefined);
  await setTimeout(500);
  await assertUnharmed();
  for (const socket of idle) socket.destroy();
});

test("streams that nobody reads end with their connection", async () => {
  const session = openSession();
  for (let i = 0; i < 50; i++) {
    const stream = session.request(grpcHeaders("/machine.MachineService/List", {}));
    stream.on("error", () => undefined);
    stream.pause();
    stream.end(frame(Buffer.from([0x0a, 0x01, 0x2f, 0x10, 0x01]))); // root "/", recurse
  }
  await setTimeout(1000);
  await assertUnharmed();
  session.destroy();
});

function openSession(who: "admin" | "reader" = "admin"): ClientHttp2Session {
  const [ca, cert, key] = ["os.crt", `${who}.crt`, `${who}.key`].map((name) =>
    readFileSync(join(api.cluster.dir, name)),
  );
  const pkcs8 = key?.toString("latin1").replaceAll("ED25519 PRIVATE KEY", "PRIVATE KEY"); // what OpenSSL calls it
  const session = connectHttp2(`https://${api.host.address}`, { ca, cert, key: pkcs8, ALPNProtocols: ["h2"] });
  session.on("error", () => undefined);
  return session;
}

function grpcHeaders(path: string, extra: Readonly<Record<string, string>>): Record<string, string> {
  return { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...extra };
}

/** The gRPC status of a call; the HTTP status where there is none, and "reset" for a stream that was cut. */
function statusOf(session: ClientHttp2Session, { path, headers, body }: Call): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request(grpcHeaders(path, headers ?? {}));
    let status: string | undefined;
    const note = (from: IncomingHttpHeaders): void => {
      const http = Number(from[":status"] ?? 200);
      const found = from["grpc-status"] ?? (http === 200 ? undefined : http);
      if (found !== undefined) status = String(found);
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("error", () => resolve("reset"));
    stream.on("close", () => resolve(status ?? "reset"));
    session.on("error", () => resolve("reset"));
    stream.resume();
    stream.end(body());
  });
}

function bomb(): Uint8Array {
  return frame(gzipSync(Buffer.alloc(512 * MIB), { level: 9 }), 1);
}

async function assertUnharmed(): Promise<void> {
  assert.match(await admin.ok(["version"]), /Tag:/);
  assert.ok(api.host.isUp());
  assert.ok(api.host.memoryMib() < MEMORY_LIMIT_MIB, `${api.host.memoryMib()} MiB in use`);
}
