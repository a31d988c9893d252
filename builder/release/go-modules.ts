// SPDX-License-Identifier: Apache-2.0
// Go modules of userland/: their sources as trees, the modules that they require, and the caches that hold those.
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError, bug } from "../errors.ts";
import { sha256 } from "../layout/digest.ts";
import type { GoNetwork } from "../host/go-network.ts";
import type { SandboxCommand } from "../host/sandbox.ts";
import { runInSandbox } from "../host/sandbox.ts";
import type { Store } from "../host/store.ts";
import { putBytes } from "../host/store.ts";
import type { ActionContext } from "./action.ts";
import { cacheFolder } from "./cache-folder.ts";
import { GO_ENV, GO_PROGRAM } from "./go-toolchain.ts";
import type { Toolbox } from "./toolbox.ts";
import type { Tree, TreeNode } from "./tree.ts";

export const USERLAND_DIR: string = fileURLToPath(new URL("../../userland", import.meta.url));

const CACHE_PREFIX = "gomod-";

/** A module of ours: its folder, and everything in it that go build may read. */
export interface GoModuleSources {
  /** Absolute path. */
  readonly dir: string;
  readonly tree: Tree;
  readonly goMod: string;
}

/**
 * The sources of the module in `dir` without tests and their data. Modules in folders below it are others, unless its
 * go.mod puts them in the place of a requirement.
 */
export async function readModuleSources(store: Store, dir: string): Promise<GoModuleSources> {
  const goMod = await readFile(join(dir, "go.mod"), "utf8").catch((cause: unknown) => {
    throw noModule(dir, cause);
  });
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((e) => e.isFile()).map((e) => relative(dir, join(e.parentPath, e.name)));
  const own = new Set([...goMod.matchAll(/=>\s+\.\/(\S+)/g)].map(([, folder]) => folder));
  const others = files
    .filter((path) => path.endsWith("/go.mod"))
    .map((path) => dirname(path))
    .filter((folder) => !own.has(folder));
  const tree: Record<string, TreeNode> = {};
  for (const path of files) {
    if (path.endsWith("_test.go") || path.split("/").includes("testdata")) continue;
    if (others.some((folder) => path.startsWith(`${folder}/`))) continue;
    tree[path] = { kind: "file", blob: await putBytes(store, await readFile(join(dir, path))), mode: 0o644 };
  }
  return { dir, tree, goMod };
}

/** The version of a module that a go.mod requires. Throws RELEASE_INVALID. */
export function requiredVersion(goMod: string, module: string): string {
  for (const line of goMod.split("\n")) {
    const [name, version] = line
      .replace(/^\s*require\s/, "")
      .trim()
      .split(/\s+/);
    if (name === module && version !== undefined && /^v\d/.test(version)) return version;
  }
  throw new FactoryError({
    code: "RELEASE_INVALID",
    file: "go.mod",
    field: module,
    expected: "a requirement with a version",
    fix: `run \`go get ${module}@VERSION\` in the module's folder`,
  });
}

/**
 * The module cache for this go.sum, fetched on first use into a directory of its own. go.sum pins every byte, so what
 * network it came over does not matter. Throws NETWORK.
 */
export async function fetchGoModules(
  context: ActionContext,
  toolbox: Toolbox,
  sources: GoModuleSources,
  network: GoNetwork,
): Promise<string> {
  const { dir, tree } = sources;
  const pins = ["go.mod", "go.sum"].map((path) => tree[path]);
  const where = relative(dirname(USERLAND_DIR), dir);
  const make = async (partial: string): Promise<string> => {
    const command = await downloadCommand(context.store, toolbox, { dir, partial, network });
    const result = await runInSandbox(toolbox.root, command, { signal: context.signal });
    if (result.exitCode !== 0) throw notFetched(where, result.stderr);
    return join(partial, "gomod");
  };
  const name = `${CACHE_PREFIX}${sha256(JSON.stringify(pins)).slice(0, 32)}`;
  return cacheFolder(context, { name, shown: `go modules of ${where}`, make });
}

interface Download {
  readonly dir: string;
  readonly partial: string;
  readonly network: GoNetwork;
}

/** What other module caches of the store hold is taken from them: a change of one line fetches one module. */
async function downloadCommand(
  store: Store,
  toolbox: Toolbox,
  { dir, partial, network }: Download,
): Promise<SandboxCommand> {
  const names = (await readdir(join(store.dir, "cache"))).filter((name) => name.startsWith(CACHE_PREFIX)).sort();
  const held = names.map((name) => ({
    host: join(store.dir, "cache", name, "cache/download"),
    inside: `/tmp/held/${name}`,
    writable: false,
  }));
  const proxies = [...held.map(({ inside }) => `file://${inside}`), await usualProxies(toolbox, network)];
  return {
    argv: [GO_PROGRAM, "mod", "download"],
    env: { ...GO_ENV, ...network.env, GOPROXY: proxies.join(","), GOFLAGS: "-mod=readonly -modcacherw" },
    binds: [
      { host: dir, inside: "/build", writable: false },
      { host: partial, inside: "/tmp/go", writable: true },
      ...held,
      ...network.files.map((file) => ({ host: file, inside: file, writable: false })),
    ],
    cwd: "/build",
    network: true,
  };
}

/** GOPROXY as Go understands it: the user's, else its own default, which only Go knows. */
export async function usualProxies(toolbox: Toolbox, { env }: GoNetwork): Promise<string> {
  const command = { argv: [GO_PROGRAM, "env", "GOPROXY"], env: { ...GO_ENV, ...env }, binds: [] };
  const { exitCode, stdout, stderr } = await runInSandbox(toolbox.root, command);
  if (exitCode !== 0) throw bug(`go env: ${stderr}`);
  return stdout.trim();
}

function noModule(dir: string, cause: unknown): FactoryError {
  return new FactoryError({
    code: "RELEASE_INVALID",
    file: relative(dirname(USERLAND_DIR), dir),
    found: "no go.mod",
    expected: "a Go module, since the table of the userland names it",
    fix: "correct builder/release/userland-table.ts",
    cause,
  });
}

function notFetched(where: string, output: string): FactoryError {
  return new FactoryError({
    code: "NETWORK",
    file: `${where}/go.mod`,
    field: "go modules",
    found: "go mod download failed",
    expected: "every module that go.sum names",
    fix: "check the network, or set GOPROXY to a module proxy that is reachable",
    output: output.trim().split("\n").slice(-10).join("\n"),
  });
}
