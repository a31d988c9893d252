// SPDX-License-Identifier: Apache-2.0
// Builds the Go binaries: static, stripped, without paths or build ids, the same wherever they are built.
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError } from "../errors.ts";
import { sha256 } from "../layout/digest.ts";
import { removeTree } from "../host/remove-tree.ts";
import { runInSandbox } from "../host/sandbox.ts";
import type { Store } from "../host/store.ts";
import { putBytes, temporaryPath } from "../host/store.ts";
import type { ActionContext, CommandAction } from "./action.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree, TreeNode } from "./tree.ts";
import { underPrefix } from "./tree.ts";

/** The binaries built so far, a folder of userland/ each. */
export const USERLAND_BINARIES = ["init", "modprobe", "stage1"] as const;

const SOURCE_DIR = fileURLToPath(new URL("../../userland", import.meta.url));
const GO_ROOT = "/usr/lib/go-1.27";

/** Inside the "compile" toolbox. */
export const GO_PROGRAM: string = `${GO_ROOT}/bin/go`;

export const GO_ENV: Readonly<Record<string, string>> = {
  GOROOT: GO_ROOT,
  GOTOOLCHAIN: "local",
  GOFLAGS: "-mod=readonly -trimpath -buildvcs=false",
  GOOS: "linux",
  GOARCH: "amd64",
  GOAMD64: "v1",
  CGO_ENABLED: "0",
  GOMODCACHE: "/tmp/go/gomod",
  GOCACHE: "/tmp/go/gocache",
  GOENV: "off",
  GOTELEMETRY: "off",
};

/** The Go sources as a tree: everything that go build may read, tests and their data left out. */
export async function readUserlandSources(store: Store, dir: string = SOURCE_DIR): Promise<Tree> {
  const tree: Record<string, TreeNode> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = relative(dir, join(entry.parentPath, entry.name));
    if (!entry.isFile() || path.endsWith("_test.go") || path.split("/").includes("testdata")) continue;
    tree[path] = { kind: "file", blob: await putBytes(store, await readFile(join(dir, path))), mode: 0o644 };
  }
  return tree;
}

export interface GoNetwork {
  readonly env: Readonly<Record<string, string>>;
  /** Host files that name resolution and TLS need: they serve fetching only, go.sum decides what is accepted. */
  readonly files: readonly string[];
}

/**
 * The module cache for this go.sum, fetched on first use into a directory of its own. go.sum pins every byte, so what
 * network it came over does not matter. Throws NETWORK.
 */
export async function fetchGoModules(
  context: ActionContext,
  toolbox: Toolbox,
  sources: Tree,
  network: GoNetwork,
): Promise<string> {
  const { store, signal } = context;
  const pins = ["go.mod", "go.sum"].map((path) => sources[path]);
  const final = join(store.dir, "cache", `gomod-${sha256(JSON.stringify(pins)).slice(0, 32)}`);
  const present = await readdir(final).then(
    () => true,
    () => false,
  );
  const end = context.onAction("go modules", present);
  if (present) return (end(), final);
  const partial = await temporaryPath(store);
  await mkdir(partial);
  try {
    const binds = [
      { host: SOURCE_DIR, inside: "/build", writable: false },
      { host: partial, inside: "/tmp/go", writable: true },
      ...network.files.map((file) => ({ host: file, inside: file, writable: false })),
    ];
    const env = { ...GO_ENV, ...network.env, GOFLAGS: "-mod=readonly -modcacherw" };
    const argv = [GO_PROGRAM, "mod", "download"];
    const result = await runInSandbox(toolbox.root, { argv, env, binds, cwd: "/build", network: true }, { signal });
    if (result.exitCode !== 0) throw notFetched(result.stderr);
    await rename(join(partial, "gomod"), final).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    end();
    return final;
  } catch (error) {
    end(error);
    throw error;
  } finally {
    await removeTree(partial);
  }
}

/** The step that compiles every binary; outputs `out/<name>`. */
export async function userlandAction(
  store: Store,
  toolbox: Toolbox,
  sources: Tree,
  goModules: string,
): Promise<CommandAction> {
  const goCache = join(store.dir, "cache", `gobuild-${toolbox.digest.slice(0, 16)}`);
  await mkdir(goCache, { recursive: true });
  return {
    kind: "command",
    name: "userland",
    inputs: underPrefix("userland", sources),
    argv: [
      GO_PROGRAM,
      "build",
      "-C",
      "userland",
      "-ldflags=-s -w -buildid=",
      "-o",
      "../out/",
      ...USERLAND_BINARIES.map((b) => `./${b}`),
    ],
    env: { ...GO_ENV, GOPROXY: "off" },
    toolbox,
    outputs: USERLAND_BINARIES.map((b) => `out/${b}`),
    caches: [
      { host: goModules, inside: "/tmp/go/gomod", writable: false },
      { host: goCache, inside: "/tmp/go/gocache", writable: true },
    ],
  };
}

function notFetched(output: string): FactoryError {
  return new FactoryError({
    code: "NETWORK",
    file: "userland/go.mod",
    field: "go modules",
    found: "go mod download failed",
    expected: "every module that go.sum names",
    fix: "check the network, or set GOPROXY to a module proxy that is reachable",
    output: output.trim().split("\n").slice(-10).join("\n"),
  });
}
