// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedUrl, nextUrl } from "../../builder/registry/http.ts";

const CASES: readonly (readonly [from: string, location: string | null, want: string | undefined])[] = [
  ["https://a.example/x", "https://b.example/y", "https://b.example/y"],
  ["https://a.example/x/", "y?z", "https://a.example/x/y?z"],
  ["https://a.example/x", "http://a.example/y", undefined],
  ["https://a.example/x", "http://127.0.0.1:80/y", undefined],
  ["https://127.0.0.1/x", "http://127.0.0.1/y", undefined],
  ["http://127.0.0.1:5000/x", "http://localhost:6000/y", "http://localhost:6000/y"],
  ["http://127.0.0.1:5000/x", "https://b.example/y", "https://b.example/y"],
  ["http://127.0.0.1:5000/x", "http://b.example/y", undefined],
  ["https://a.example/x", "https://user:pass@b.example/y", undefined],
  ["https://a.example/x", "file:///etc/passwd", undefined],
  ["https://a.example/x", "http://", undefined],
  ["https://a.example/x", null, undefined],
];

for (const [from, location, want] of CASES) {
  test(`a server at ${from} ${want === undefined ? "must not" : "may"} send us to ${location ?? "nowhere"}`, () => {
    const next = (): string => nextUrl(location, checkedUrl(from), "test").href;
    if (want === undefined) assert.throws(next, { code: "REGISTRY_INVALID" });
    else assert.equal(next(), want);
  });
}
