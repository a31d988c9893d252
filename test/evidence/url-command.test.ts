// SPDX-License-Identifier: Apache-2.0
// `dodeka verify` over addresses: the artifact is streamed, its evidence read from beside it, and nothing else is believed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { runVerify } from "../../builder/commands/verify.ts";
import { errorCodeOf } from "../../builder/report/exit-code.ts";
import { contextFor } from "./command-context.ts";
import { ARTIFACT, NAME, keyPair, makeEvidence } from "./evidence-samples.ts";

const dir = mkdtempSync(join(tmpdir(), "url-"));
const { signer, trusted } = keyPair("release.pub");
const good = await makeEvidence(signer);
const key = join(dir, "release.pub");
writeFileSync(key, trusted.kind === "key" ? trusted.publicKey.export({ type: "spki", format: "pem" }) : "");

let files: Map<string, Buffer>;
let lie: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
let address: string;
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? "");
  if (lie?.(request, response) === true) return;
  const path = (request.url ?? "").replace(/\?.*/, "");
  const bytes = files.get(path);
  response.writeHead(bytes === undefined ? 403 : 200).end(bytes); // as storage services answer that nobody may list
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/releases/${NAME}`;
});
beforeEach(() => {
  lie = undefined;
  asked.length = 0;
  const path = `/releases/${NAME}`;
  files = new Map([[path, ARTIFACT], ...[...good].map(([suffix, bytes]) => [path + suffix, bytes] as const)]);
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true });
});

async function verify(target: string, keys: readonly string[] = [key]): Promise<{ code: string; output: string }> {
  let output = "";
  const write = (text: string): void => {
    output += text;
  };
  const context = contextFor(write, {}, write);
  const code = await runVerify(context, { files: [target], policy: undefined, keys }).then(() => "ok", errorCodeOf);
  return { code, output };
}

test("an artifact at an address is proved, with a query that gives access and is shown to nobody", async () => {
  const { code, output } = await verify(`${address}?access=secret`);
  assert.equal(code, "ok", output);
  assert.match(output, /trusted signer signed/);
  assert.match(output, new RegExp(`verify ${NAME}`));
  assert.doesNotMatch(output, /secret/);
  assert.ok(asked.includes(`/releases/${NAME}.sigstore.json?access=secret`));
  assert.equal((await verify(address, [])).code, "ok");
});

test("another artifact, missing evidence and no artifact are told apart", async () => {
  files.set(`/releases/${NAME}`, Buffer.from("other"));
  assert.equal((await verify(address)).code, "EVIDENCE_INVALID");
  files.set(`/releases/${NAME}`, ARTIFACT);
  files.delete(`/releases/${NAME}.provenance.sigstore.json`);
  assert.equal((await verify(address)).code, "EVIDENCE_MISSING");
  files.delete(`/releases/${NAME}`);
  assert.equal((await verify(address)).code, "REGISTRY_REFUSED");
});

test("redirects are followed for the artifact, not to plain http elsewhere", async () => {
  lie = ({ url }, response) => {
    if (url !== `/releases/${NAME}`) return false;
    response.writeHead(302, { location: "/moved" }).end();
    return true;
  };
  files.set("/moved", ARTIFACT);
  assert.equal((await verify(address)).code, "ok");
  lie = (_, response) => {
    response.writeHead(302, { location: "http://198.51.100.1/" }).end();
    return true;
  };
  assert.equal((await verify(address)).code, "REGISTRY_INVALID");
});

for (const target of ["http://198.51.100.1/a.iso", "https://user:pass@example.org/a.iso", "https://example.org/"]) {
  test(`verify refuses ${target}`, async () => {
    assert.equal((await verify(target)).code, "USAGE");
  });
}
