// SPDX-License-Identifier: Apache-2.0
// What a build leaves behind, whether it succeeds or fails. The release is a fake one, so that a build takes a moment.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { sandboxArgv } from "../../builder/host/sandbox.ts";
import type { Store } from "../../builder/host/store.ts";
import { blobPath } from "../../builder/host/store.ts";
import type { ProgressEvent } from "../../builder/report/progress-event.ts";
import { fakeRelease } from "../artifacts/fake-release.ts";
import { openBox } from "../foreign/judge.ts";
import { temporaryDirectory } from "../host/temp-store.ts";
import { METAL } from "../plan/sample-plans.ts";
import { LAUNCHER, dodeka, storeWithRelease } from "./dodeka.ts";

const store = await storeWithRelease();
const SMALL = ["--esp-size", "40MiB"]; // hashing the zeros of the usual 512 MiB takes longer than all the rest
const REPOSITORY = join(LAUNCHER, "../..");
const digestOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

interface ArtifactEvent {
  readonly event: string;
  readonly path: string;
  readonly digest: string;
}

async function artifacts(
  args: readonly string[],
  options: Parameters<typeof dodeka>[1],
): Promise<readonly ArtifactEvent[]> {
  const { exitCode, stdout, stderr } = await dodeka(["build", ...args, "--json"], options);
  assert.equal(exitCode, 0, stderr);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ArtifactEvent);
  return events.filter((event) => event.event === "artifact");
}

describe("a build that succeeds", { concurrency: 2 }, () => {
  test("writes the files it names, with the digests it names, and nothing else", async () => {
    const cwd = temporaryDirectory();
    const made = await artifacts(["metal", "-o", "out", ...SMALL], { store, cwd });
    assert.deepEqual(
      made.map((a) => a.path),
      ["metal-amd64.raw", "metal-amd64.iso", "metal-amd64-uki.efi"].map((n) => join("out", n)),
    );
    for (const { path, digest } of made) assert.equal(digestOf(join(cwd, path)), digest);
    const beside = ["", ".cdx.json", ".provenance.json", ".sha256", ".spdx.json"];
    const names = made.flatMap(({ path }) => beside.map((suffix) => `${basename(path)}${suffix}`));
    assert.deepEqual(readdirSync(join(cwd, "out")).toSorted(), names.toSorted());
  });

  test("prints sizes and digests for people", async () => {
    const { stdout, stderr } = await dodeka(["build", "metal", "--output", "cmdline"], { store });
    assert.equal(stdout, "");
    assert.match(stderr, /^wrote {3}out\/cmdline-metal-amd64 {2}cmdline {2}\d+ bytes {2}sha256:[0-9a-f]{64}$/m);
    assert.match(stderr, /^done {4}plan {2}[\d.]+ m?s$/m);
  });

  test("gives equal digests in another directory, umask, time zone, locale, and store", async () => {
    const kinds = ["raw", "iso", "uki", "initramfs", "cmdline", "root"].flatMap((kind) => ["--output", kind]);
    const here = await artifacts(["metal", "-o", "a", ...SMALL, ...kinds], { store });
    const elsewhere = await artifacts(["metal", "-o", "deeper/b", ...SMALL, ...kinds], {
      store: await storeWithRelease(),
      env: { TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", USER: "somebody" },
      through: ["/bin/sh", "-c", 'umask 077; exec "$@"', "sh"],
    });
    assert.equal(here.length, 6);
    assert.deepEqual(
      elsewhere.map((a) => a.digest),
      here.map((a) => a.digest),
    );
  });
});

describe("a plan", { concurrency: 2 }, () => {
  test("is named by the SHA-256 of its canonical form", async () => {
    const [canonical, id] = await Promise.all(
      ["canonical", "id"].map((format) => dodeka(["plan", "metal", "--format", format], { store })),
    );
    assert.equal(
      id?.stdout.trim(),
      createHash("sha256")
        .update(canonical?.stdout ?? "")
        .digest("hex"),
    );
  });

  test("is one line of JSON among events with --json, and indented JSON without", async () => {
    const [json, text] = await Promise.all([
      dodeka(["plan", "metal", "--json"], { store }),
      dodeka(["plan", "metal"], { store }),
    ]);
    const lines = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; value: unknown });
    const result = lines.filter((line) => line.event === "result");
    assert.deepEqual(
      result.map((line) => line.value),
      [JSON.parse(text.stdout)],
    );
  });

  test("may be read only in part", async () => {
    const script = '"$@" | head -c 10; echo; echo ${PIPESTATUS[0]}';
    const argv = ["-c", script, "bash", process.execPath, LAUNCHER, "plan", "metal"];
    const { stdout, stderr } = await promisify(execFile)("bash", argv, {
      env: { PATH: "/usr/bin:/bin", DODEKA_STORE: store.dir },
    });
    assert.match(stdout, /^\{\n[^]*\n0\n$/);
    assert.ok(!stderr.includes("EPIPE"), stderr);
  });
});

/** A store whose blob of the named part has one byte changed. */
async function damagedStore(): Promise<Store> {
  const damaged = await storeWithRelease();
  const path = blobPath(damaged, fakeRelease().release.parts.root.digest);
  chmodSync(path, 0o644);
  const bytes = readFileSync(path);
  bytes[70_000] = (bytes[70_000] ?? 0) ^ 4;
  writeFileSync(path, bytes);
  return damaged;
}

describe("a build that fails", { concurrency: 2 }, () => {
  test("on a damaged blob ends with 74, names it, and makes no file", async () => {
    const [cwd, damaged] = [temporaryDirectory(), await damagedStore()];
    const { exitCode, stderr } = await dodeka(["build", "metal"], { store: damaged, cwd });
    assert.equal(exitCode, 74, stderr);
    assert.match(stderr, /blob: found "SHA-256 [0-9a-f]{64}"[^]*dodeka store verify --repair/);
    assert.deepEqual(existsSync(join(cwd, "out")) ? readdirSync(join(cwd, "out")) : [], []);
  });

  test("on a file in place of the directory ends with 73", async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "out"), "mine");
    const { exitCode, stderr } = await dodeka(["build", "metal"], { store, cwd });
    assert.equal(exitCode, 73, stderr);
    assert.match(stderr, /fix: /);
    assert.equal(readFileSync(join(cwd, "out"), "utf8"), "mine");
  });

  test("on a directory in place of an image ends with 73 and leaves it", async () => {
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, "out/metal-amd64.raw"), { recursive: true });
    const { exitCode } = await dodeka(["build", "metal"], { store, cwd });
    assert.deepEqual([exitCode, readdirSync(join(cwd, "out"))], [73, ["metal-amd64.raw"]]);
  });

  test("in a directory that the user may not write to ends with 73 and makes no file", async () => {
    const cwd = temporaryDirectory();
    const own = await storeWithRelease();
    for (const path of [cwd, join(own.dir, "..")]) chmodSync(path, 0o755);
    for (const name of readdirSync(own.dir)) chmodSync(join(own.dir, name), 0o777);
    mkdirSync(join(cwd, "out"), { mode: 0o555 });
    const { exitCode, stderr } = await dodeka(["build", "metal"], { store: own, cwd, uid: 12_345 });
    assert.equal(exitCode, 73, stderr);
    assert.match(stderr, /found "EACCES"/);
    assert.deepEqual(readdirSync(join(cwd, "out")), []);
  });

  test("at a limit of the file's size ends with 74 and makes no file", async () => {
    const cwd = temporaryDirectory();
    const through = ["/bin/bash", "-c", 'ulimit -f 2000; exec "$@"', "bash"];
    const { exitCode, stderr } = await dodeka(["build", "metal", "--output", "raw"], { store, cwd, through });
    assert.equal(exitCode, 74, stderr);
    assert.match(stderr, /metal-amd64\.raw: found "EFBIG"[^]*free some space/);
    assert.deepEqual(readdirSync(join(cwd, "out")), []);
  });

  test("on a full disk ends with 74 and makes no file", async () => {
    const { root } = await openBox("judges");
    const binds = [
      { host: REPOSITORY, inside: "/tmp/repository", writable: false },
      { host: process.execPath, inside: "/tmp/bin/node", writable: false },
      { host: store.dir, inside: "/tmp/store", writable: true },
    ];
    const script =
      '/tmp/bin/node /tmp/repository/builder/launch.mjs build metal -o /run/out; echo "exit $?"; ls -A /run/out';
    const command = { argv: ["bash", "-c", script], binds, env: { DODEKA_STORE: "/tmp/store" } };
    const argv = sandboxArgv(root, command, process.getuid?.() === 0);
    const [file = "", ...rest] = argv.toSpliced(argv.indexOf("--chdir"), 0, "--size", "1000000", "--tmpfs", "/run");
    const { stdout, stderr } = await promisify(execFile)(file, rest, { env: {} });
    assert.equal(stdout, "exit 74\n", stderr);
    assert.match(stderr, /\/run\/out: free bytes: found \d+[^]*free some space/);
  });

  test("reports one problem as an event with --json", async () => {
    const { exitCode, stdout, stderr } = await dodeka(["build", "metal", "--json"], { store: undefined });
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ProgressEvent);
    const problem = events.find((event) => event.event === "problem");
    assert.deepEqual([exitCode, stderr, problem?.event === "problem" && problem.code], [69, "", "RELEASE_MISSING"]);
  });
});

describe("a build that is interrupted", async () => {
  const large = await storeWithRelease({ root: new Uint8Array(120 << 20).fill(7) });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`by ${signal} ends with 130 and leaves no partial file`, async () => {
      const cwd = temporaryDirectory();
      const out = join(cwd, "out");
      const listing = (): readonly string[] => (existsSync(out) ? readdirSync(out) : []);
      const { exitCode, stderr } = await dodeka(["build", "metal"], {
        store: large,
        cwd,
        onStart: (child) => void killOnce(child, signal, () => listing().some((name) => name.endsWith(".partial"))),
      });
      assert.equal(exitCode, 130, stderr);
      assert.deepEqual(
        listing().filter((name) => name.endsWith(".partial")),
        [],
      );
      assert.ok(listing().length < 3);
    });
  }
});

async function killOnce(child: ChildProcess, signal: NodeJS.Signals, ready: () => boolean): Promise<void> {
  while (child.exitCode === null && !ready()) await sleep(2);
  child.kill(signal);
}

test("a profile's machine configuration is read from its own folder", async () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "config.yaml"), "version: v1alpha1\n");
  writeFileSync(
    join(cwd, "edge.yaml"),
    `${METAL.replace("[raw, iso, uki]", "[initramfs]")}machineConfig: {file: config.yaml}\n`,
  );
  const [made] = await artifacts(["./edge.yaml"], { store, cwd });
  assert.ok(readFileSync(join(cwd, made?.path ?? "")).includes("version: v1alpha1"));
});
