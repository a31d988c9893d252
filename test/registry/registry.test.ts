// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FactoryError } from "../../builder/errors.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { Credentials } from "../../builder/registry/credentials.ts";
import { openHttp } from "../../builder/registry/http.ts";
import { attachReferrer, listReferrers } from "../../builder/registry/referrers.ts";
import type { Repository } from "../../builder/registry/registry.ts";
import { openRepository, pullBlob, pullManifest, pushBlob } from "../../builder/registry/registry.ts";
import type { RegistryOptions, TestRegistry } from "./test-registry.ts";
import { PASSWORD, USER, startRegistry } from "./test-registry.ts";

const http = openHttp({ pausesMs: [1, 1], idleMs: 300 });
const TYPE = "application/vnd.example+json";

async function start(
  t: TestContext,
  options: RegistryOptions = {},
  password: string = PASSWORD,
): Promise<{ registry: TestRegistry; repository: Repository }> {
  const registry = await startRegistry(options);
  t.after(registry.close);
  const credentials: Credentials = new Map([[registry.host, { kind: "basic", user: USER, password }]]);
  return { registry, repository: openRepository({ http, credentials }, registry.host, "team/image") };
}

function refusal(code: string, found?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FactoryError, String(error));
    assert.equal(error.code, code, error.message);
    if (found !== undefined) assert.match(`${error.details.field} ${String(error.details.found)}`, found);
    assert.ok(!error.message.includes(PASSWORD));
    return true;
  };
}

for (const auth of [undefined, "basic", "bearer"] as const) {
  test(`a repository is read and written with ${auth ?? "no"} authentication`, async (t) => {
    const { registry, repository } = await start(t, auth === undefined ? {} : { auth });
    const digest = registry.seed("v1", "layer");
    const manifest = await pullManifest(repository, "v1");
    assert.equal(manifest?.digest, digest);
    const [layer] = manifest.layers;
    assert.ok(layer !== undefined);
    assert.equal(String(await pullBlob(repository, layer, 100)), "layer");
    assert.equal(await pullManifest(repository, "v2"), undefined);
    const blob = Buffer.from("new blob");
    await pushBlob(repository, blob, sha256(blob));
    assert.deepEqual(registry.blobs.get(`sha256:${sha256(blob)}`), blob);
    const puts = (): number => registry.seen.filter(({ method }) => method === "PUT").length;
    const before = puts();
    await pushBlob(repository, blob, sha256(blob));
    assert.equal(puts(), before, "what is there is not pushed again");
  });
}

for (const auth of ["basic", "bearer"] as const) {
  test(`a wrong password is refused with ${auth} authentication`, async (t) => {
    const { registry, repository } = await start(t, { auth }, "wrong");
    registry.seed("v1", "layer");
    await assert.rejects(pullManifest(repository, "v1"), refusal("REGISTRY_REFUSED", /401/));
  });
}

test("no credentials go to a storage service behind a redirect", async (t) => {
  const { registry, repository } = await start(t, { auth: "basic", storage: true });
  registry.seed("v1", "layer");
  const [layer] = (await pullManifest(repository, "v1"))?.layers ?? [];
  assert.ok(layer !== undefined);
  assert.equal(String(await pullBlob(repository, layer, 100)), "layer");
  const elsewhere = registry.seen.filter(({ host }) => host !== registry.host);
  assert.deepEqual(
    elsewhere.map(({ authorization }) => authorization),
    [undefined],
  );
});

for (const referrers of [true, false]) {
  test(`referrers are attached and listed ${referrers ? "by the registry" : "under a tag"}`, async (t) => {
    const { registry, repository } = await start(t, { referrers });
    registry.seed("v1", "layer");
    const subject = await pullManifest(repository, "v1");
    assert.ok(subject !== undefined);
    assert.deepEqual(await listReferrers(repository, subject.digest), []);
    const attached = [];
    for (const text of ["one", "two", "two"]) {
      const bytes = Buffer.from(text);
      attached.push(await attachReferrer(repository, subject, { artifactType: TYPE, bytes, annotations: { text } }));
    }
    assert.equal(registry.manifests.has(`sha256-${subject.digest}`), !referrers);
    const listed = await listReferrers(repository, subject.digest);
    assert.deepEqual(listed.map(({ digest }) => digest).sort(), [...new Set(attached)].sort());
    assert.ok(listed.every(({ artifactType }) => artifactType === TYPE));
  });
}

test("more referrers than anybody needs are refused, also on a single page and under a tag", async (t) => {
  for (const isListed of [true, false]) {
    const manifests = Array.from({ length: 257 }, (_, i) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${sha256(String(i))}`,
      size: 1,
    }));
    const type = "application/vnd.oci.image.index.v1+json";
    const { repository } = await start(t, {
      lie: ({ url = "" }, response) => {
        if (!isListed && url.includes("/referrers/")) response.writeHead(404).end();
        else
          response
            .writeHead(200, { "content-type": type })
            .end(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
        return true;
      },
    });
    await assert.rejects(listReferrers(repository, sha256("a")), refusal("REGISTRY_INVALID", /referrers 257/));
  }
});

test("a list of referrers that goes on for ever ends", async (t) => {
  const type = "application/vnd.oci.image.index.v1+json";
  const { registry, repository } = await start(t, {
    lie: ({ url = "" }, response) => {
      const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] });
      response.writeHead(200, { "content-type": type, link: `<${url}>; rel="next"` }).end(body);
      return true;
    },
  });
  await assert.rejects(listReferrers(repository, sha256("a")), refusal("REGISTRY_INVALID", /referrers/));
  assert.equal(registry.seen.length, 16);
});

const manifestOf = (change: object): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {},
    layers: [],
    ...change,
  });

/** A registry that sends this in place of the manifest `v1`. */
const LIES: readonly (readonly [
  name: string,
  body: string | Buffer,
  headers: Record<string, string>,
  found: RegExp,
])[] = [
  ["bytes of another digest", manifestOf({}), { "docker-content-digest": `sha256:${"0".repeat(64)}` }, /SHA-256/],
  ["another type within", manifestOf({ mediaType: "application/vnd.oci.image.index.v1+json" }), {}, /mediaType/],
  ["layers and manifests", manifestOf({ manifests: [] }), {}, /manifests present/],
  ["a digest that is none", manifestOf({ layers: [{ mediaType: "a", digest: "sha256:xyz", size: 1 }] }), {}, /digest/],
  [
    "a negative size",
    manifestOf({ layers: [{ mediaType: "a", digest: `sha256:${"a".repeat(64)}`, size: -1 }] }),
    {},
    /size/,
  ],
  ["a member twice", '{"schemaVersion":2,"schemaVersion":2}', {}, /document/],
  ["deep nesting", "[".repeat(100), {}, /document deeper/],
  ["no JSON", "<html>", {}, /document/],
  ["more than a manifest", Buffer.alloc((4 << 20) + 1, " "), {}, /a longer answer/],
  ["an unknown type", manifestOf({}), { "content-type": "text/html" }, /mediaType/],
];

for (const [name, body, headers, found] of LIES) {
  test(`pullManifest refuses ${name}`, async (t) => {
    const { repository } = await start(t, {
      lie: (_, response) => {
        const type = "application/vnd.oci.image.manifest.v1+json";
        response.writeHead(200, { "content-type": type, ...headers }).end(body);
        return true;
      },
    });
    await assert.rejects(pullManifest(repository, "v1"), refusal("REGISTRY_INVALID", found));
  });
}

test("pullManifest by digest refuses other bytes, whatever the server says of them", async (t) => {
  const { registry, repository } = await start(t);
  const [a, b] = [registry.seed("a", "a"), registry.seed("b", "b")];
  registry.manifests.set(`sha256:${a}`, registry.manifests.get(`sha256:${b}`)!);
  await assert.rejects(pullManifest(repository, `sha256:${a}`), refusal("REGISTRY_INVALID", /SHA-256/));
});

test("pullBlob refuses other bytes, more bytes, and more than anybody asked for", async (t) => {
  const { registry, repository } = await start(t);
  const digest = sha256("right");
  for (const bytes of ["wrong", "right and more"]) {
    registry.blobs.set(`sha256:${digest}`, Buffer.from(bytes));
    await assert.rejects(pullBlob(repository, { digest, size: 5 }, 100), refusal("REGISTRY_INVALID"));
  }
  await assert.rejects(pullBlob(repository, { digest, size: 5 }, 4), refusal("REGISTRY_INVALID"));
});

const ODD: readonly (readonly [name: string, location: string])[] = [
  ["plain http elsewhere", "http://198.51.100.1/x"],
  ["a file", "file:///etc/passwd"],
  ["an address with a password", "https://a:b@example.org/"],
  ["nowhere", "http://"],
];

for (const [name, location] of ODD) {
  test(`a redirect to ${name} is refused`, async (t) => {
    const { repository } = await start(t, {
      lie: (_, response) => {
        response.writeHead(302, { location }).end();
        return true;
      },
    });
    await assert.rejects(pullManifest(repository, "v1"), refusal("REGISTRY_INVALID", /redirect/));
  });
}

test("redirects in a circle end, and pushes follow none", async (t) => {
  const { repository } = await start(t, {
    lie: ({ url, method }, response) => {
      if (method === "HEAD") response.writeHead(404).end();
      else response.writeHead(307, { location: url }).end();
      return true;
    },
  });
  await assert.rejects(pullManifest(repository, "v1"), refusal("REGISTRY_INVALID", /redirects/));
  await assert.rejects(pushBlob(repository, Buffer.from("x"), sha256("x")), refusal("REGISTRY_INVALID", /307/));
});

test("an upload that goes on elsewhere gets no credentials, and not over plain http", async (t) => {
  let location = "http://198.51.100.1/upload";
  const { registry, repository } = await start(t, {
    auth: "basic",
    lie: ({ method, headers }, response) => {
      if (method !== "POST" || headers.authorization === undefined) return false;
      response.writeHead(202, { location }).end();
      return true;
    },
  });
  await assert.rejects(pushBlob(repository, Buffer.from("x"), sha256("x")), refusal("REGISTRY_INVALID", /upload.*198/));
  location = `http://localhost:${registry.host.split(":")[1]}/upload`;
  await assert.rejects(pushBlob(repository, Buffer.from("x"), sha256("x")), refusal("REGISTRY_REFUSED"));
  assert.equal(registry.seen.at(-1)?.authorization, undefined);
});

test("a token server elsewhere must be https", async (t) => {
  const { repository } = await start(t, {
    lie: (_, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer realm="http://198.51.100.1/token"' }).end();
      return true;
    },
  });
  await assert.rejects(pullManifest(repository, "v1"), refusal("REGISTRY_INVALID", /token server/));
});

test("passing faults are tried again, and silence ends", async (t) => {
  let calls = 0;
  const { registry, repository } = await start(t, {
    lie: (_, response) => {
      calls++;
      if (calls === 1) response.writeHead(503).end();
      else if (calls === 2) response.writeHead(200, { "content-length": 1000 }).write("{");
      if (calls === 2) setTimeout(() => response.destroy(), 10);
      return calls <= 2;
    },
  });
  const digest = registry.seed("v1", "layer");
  assert.equal((await pullManifest(repository, "v1"))?.digest, digest);
  const silent = await start(t, { lie: () => true });
  await assert.rejects(pullManifest(silent.repository, "v1"), refusal("NETWORK"));
});

test("plain http is for the loopback interface only", () => {
  const urlOf = (host: string): string => openRepository({ http, credentials: new Map() }, host, "a").url.href;
  assert.equal(urlOf("127.0.0.1:5000"), "http://127.0.0.1:5000/v2/a/");
  assert.equal(urlOf("localhost:5000"), "http://localhost:5000/v2/a/");
  assert.equal(urlOf("registry.example.org"), "https://registry.example.org/v2/a/");
  assert.equal(urlOf("127.0.0.1.example.org"), "https://127.0.0.1.example.org/v2/a/");
});
