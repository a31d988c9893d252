// SPDX-License-Identifier: Apache-2.0
// An HTTP server on this machine's own address, for tests of what downloads.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface LocalServer {
  /** Without a trailing slash. */
  readonly base: string;
  /** Paths in the order in which they were asked for. */
  readonly asked: readonly string[];
}

/** Answers every path by `answer`; ends after the tests of the file. */
export async function serve(answer: Answer): Promise<LocalServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Serves these bodies by path, and 404 for every other path. */
export function serveFiles(files: ReadonlyMap<string, Uint8Array>): Promise<LocalServer> {
  return serve((request, response) => {
    const body = files.get(request.url ?? "");
    if (body === undefined) response.writeHead(404).end("nothing here");
    else response.end(body);
  });
}
