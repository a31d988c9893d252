// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { cleanLine, cleanLines, displayWidth, errorMessage, fitWidth } from "../../builder/report/plain-text.ts";

const ESC = "\u001b";

test("cleanLine leaves nothing that drives a terminal or hides text", () => {
  const cases: readonly (readonly [name: string, text: string, want: string])[] = [
    ["plain text", "out/metal.raw: 3 × 4 — done", "out/metal.raw: 3 × 4 — done"],
    ["colours", `${ESC}[1;31mred${ESC}[0m`, "red"],
    ["cursor movement", `a${ESC}[2J${ESC}[Hb`, "ab"],
    ["window title", `${ESC}]0;title\u0007text`, "text"],
    ["link", `${ESC}]8;;http://evil${ESC}\\text${ESC}]8;;${ESC}\\`, "text"],
    ["a lone escape", `a${ESC}`, "a\\u{1b}"],
    ["C1 control", "a\u0085b", "a\\u{85}b"],
    ["line break", "a\nb\r", "a\\u{a}b\\u{d}"],
    ["right-to-left override", "exe\u202egnp.x", "exe\\u{202e}gnp.x"],
    ["isolates", "\u2066a\u2069", "\\u{2066}a\\u{2069}"],
    ["zero width", "ad\u200bmin\ufeff", "ad\\u{200b}min\\u{feff}"],
    ["tag characters", "a\u{e0041}", "a\\u{e0041}"],
    ["half a pair", "a\ud800", "a\\u{d800}"],
    ["line separator", "a\u2028b", "a\\u{2028}b"],
    ["tab", "a\tb", "a b"],
  ];
  for (const [name, text, want] of cases) assert.equal(cleanLine(text), want, name);
});

test("cleaned text holds no hidden characters, whatever goes in", () => {
  const hostile = fc.string({ unit: fc.oneof(fc.constantFrom(ESC, "[", "]", "\u009b", "\u202e", "\n"), fc.string()) });
  fc.assert(
    fc.property(hostile, (text) => {
      assert.doesNotMatch(cleanLine(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\p{Cs}/u);
      for (const line of cleanLines(text)) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\p{Cs}/u);
    }),
  );
});

test("cleanLine says how much it leaves out", () => {
  assert.equal(cleanLine("abcdef", 4), "abcd… (2 more characters)");
  assert.equal(cleanLine("abcd", 4), "abcd");
});

test("cleanLines keeps lines and drops empty ones at the end", () => {
  assert.deepEqual(cleanLines("a\r\n\tb\n\nc\n\n"), ["a", "  b", "", "c"]);
});

test("errorMessage makes one clean line of whatever was thrown", () => {
  assert.equal(errorMessage(new Error("a\nb \u001b[1mTOKEN=x\u001b[0m")), "a; b TOKEN=***");
  assert.equal(errorMessage("text"), "'text'");
  assert.equal(errorMessage(undefined), "undefined");
});

test("credentials do not survive", () => {
  const secret = "s3cr3t-Value";
  const cases: readonly string[] = [
    `GET https://user:${secret}@registry.example/v2/ failed`,
    `https://${secret}@git.example/x`,
    `Authorization: Basic ${secret}`,
    `authorization: "Bearer ${secret}"`,
    `sent Bearer ${secret} to it`,
    `https://blob.example/a?se=1&sig=${secret}&x=1`,
    `https://s3.example/a?X-Amz-Signature=${secret}`,
    `https://s3.example/a?X-Amz-Security-Token=${secret}`,
    `TOKEN=${secret} make`,
    `password: "${secret}"`,
    `signature: ${secret}`,
    `{"access_token":"${secret}"}`,
    `-----BEGIN EC PRIVATE KEY-----\n${secret.replaceAll("-", "")}\n-----END EC PRIVATE KEY-----`,
    `ghp_${secret.replaceAll("-", "")}aaaa`,
    `Bea${ESC}[0mrer ${secret}`,
  ];
  for (const text of cases) {
    for (const shown of [cleanLine(text), cleanLines(text).join("\n")]) {
      assert.ok(!shown.includes(secret) && !shown.includes(secret.replaceAll("-", "")), shown);
      assert.match(shown, /\*\*\*/);
    }
  }
});

test("text without credentials stays as it is", () => {
  const texts = [
    "https://registry.example/v2/a@sha256:0123",
    "mail team@example.org",
    "the bearer of news",
    "token expected, found string",
    'a.sigstore.json: signature: found "a key of hint hpDO8tNG": expected release.pub',
    "console=ttyS0,115200n8 quiet",
    "git@github.com:a/b.git",
  ];
  for (const text of texts) assert.equal(cleanLine(text), text);
});

test("hostile text costs linear time", () => {
  const pieces = ["a://", "token=", "Bearer ", "password", "eyJaaaaa.", "-----BEGIN PRIVATE KEY-----", "x@", ESC, "[;"];
  for (const piece of pieces) {
    const start = performance.now();
    cleanLine(piece.repeat(200_000 / piece.length));
    assert.ok(performance.now() - start < 3000, piece);
  }
});

test("displayWidth counts terminal columns, and fitWidth respects them", () => {
  assert.deepEqual(["abc", "日本", "e\u0301", "한글!", ""].map(displayWidth), [3, 4, 1, 5, 0]);
  assert.equal(fitWidth("abcdef", 6), "abcdef");
  assert.equal(fitWidth("abcdef", 5), "abcd…");
  assert.equal(fitWidth("日本語", 5), "日本…");
  assert.equal(fitWidth("日本語", 4), "日…");
  assert.equal(fitWidth("abc", 0), "");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, columns) => {
      assert.ok(displayWidth(fitWidth(text, columns)) <= columns);
    }),
  );
});
