// SPDX-License-Identifier: Apache-2.0
// One command of the QEMU Machine Protocol over QEMU's socket. Spec: QEMU docs/interop/qmp-spec.rst, sections 2.2 to 2.4.
// Left out: events, and more than one command per connection.
import { once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { bug } from "../errors.ts";

interface QmpReply {
  readonly id?: string;
  readonly error?: { readonly desc: string };
}

const ID = "dodeka";

/**
 * Sends one command and waits until QEMU has carried it out. False when the machine is gone already: it may power off at
 * any time. Throws BUG when QEMU refuses the command.
 */
export async function callQmp(
  socketPath: string,
  execute: string,
  commandArguments: Readonly<Record<string, unknown>> = {},
): Promise<boolean> {
  const socket = createConnection(socketPath);
  try {
    await once(socket, "connect");
    // QEMU reads one after the other, so neither the greeting nor the first reply is waited for.
    socket.write(`${JSON.stringify({ execute: "qmp_capabilities" })}\n`);
    socket.write(`${JSON.stringify({ execute, arguments: commandArguments, id: ID })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const reply = JSON.parse(line) as QmpReply;
      if (reply.id !== ID) continue;
      if (reply.error !== undefined) throw bug(`QEMU refuses ${execute}: ${reply.error.desc}`);
      return true;
    }
    return false;
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

const GONE: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"]);
