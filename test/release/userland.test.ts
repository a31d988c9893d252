// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { actionDigest } from "../../builder/release/action.ts";
import type { CommandAction } from "../../builder/release/action.ts";
import { USERLAND_DIR, readModuleSources, requiredVersion } from "../../builder/release/go-modules.ts";
import { rootfsTree } from "../../builder/release/rootfs.ts";
import { USERLAND_MODULES, USERLAND_PROGRAMS } from "../../builder/release/userland-table.ts";
import { countPackages, userlandAction } from "../../builder/release/userland.ts";
import { temporaryStore } from "../host/temp-store.ts";

const store = await temporaryStore();
const toolbox = { root: "/toolbox", digest: sha256("toolbox") };

async function actionFor(folder: string): Promise<CommandAction> {
  const module = USERLAND_MODULES.find((m) => m.folder === folder);
  assert.ok(module !== undefined && module.kind !== "multicall");
  const sources = await readModuleSources(store, join(USERLAND_DIR, folder));
  return userlandAction(store, toolbox, { module, sources, cache: "/modules", goCache: "/builds" });
}

test("no program comes from two modules", () => {
  assert.equal(new Set(USERLAND_PROGRAMS).size, USERLAND_PROGRAMS.length);
});

for (const module of USERLAND_MODULES) {
  test(`userland/${module.folder} pins what the table says`, async () => {
    const { goMod, tree } = await readModuleSources(store, join(USERLAND_DIR, module.folder));
    assert.ok(tree["go.sum"] !== undefined);
    if (module.kind === "own") return;
    assert.match(requiredVersion(goMod, module.upstream), /^v\d+\.\d+\.\d+$/);
    const tools = module.kind === "upstream" ? module.packages : Object.values(module.applets);
    for (const path of tools)
      assert.ok(new RegExp(`^(tool |\t)(${module.upstream}/)?${path}$`, "m").test(goMod), `go.mod has no tool ${path}`);
  });
}

test("containerd and its shim are of one version, and so are the parts of Kubernetes", async () => {
  const modules = ["containerd", "containerd-shim-runc-v2", "kubelet"].map((f) => join(USERLAND_DIR, f));
  const [daemon, shim, kubelet] = await Promise.all(
    modules.map(async (m) => (await readModuleSources(store, m)).goMod),
  );
  const version = (goMod = ""): string => requiredVersion(goMod, "github.com/containerd/containerd/v2");
  assert.equal(version(daemon), version(shim));
  const staged = [...(kubelet ?? "").matchAll(/^\tk8s\.io\/\S+ => k8s\.io\/\S+ v0(\S+)$/gm)].map(([, v]) => v);
  assert.ok(staged.length > 20);
  assert.deepEqual(
    new Set(staged.map((v) => `v1${v}`)),
    new Set([requiredVersion(kubelet ?? "", "k8s.io/kubernetes")]),
  );
});

test("programs of ours are built together, without C", async () => {
  const action = await actionFor(".");
  assert.ok(action.argv.includes("./stage1") && action.outputs.includes("out/init"));
  assert.equal(action.env["CGO_ENABLED"], "0");
  assert.ok(Object.keys(action.inputs).every((path) => !/^source\/(containerd|kubelet|runc|cni)/.test(path)));
});

test("a program of upstream says the version that its go.mod pins", async () => {
  const { argv } = await actionFor("kubelet");
  const flags = argv.find((a) => a.startsWith("-ldflags=")) ?? "";
  assert.match(flags, /^-ldflags=-s -w -buildid= -X=k8s\.io\/component-base\/version\.gitVersion=v1\.\d+\.\d+ /);
  assert.equal(argv.at(-1), "k8s.io/kubernetes/cmd/kubelet");
});

test("runc alone is linked by the C compiler, statically", async () => {
  const action = await actionFor("runc");
  assert.deepEqual([action.env["CGO_ENABLED"], action.env["CC"]], ["1", "gcc"]);
  assert.ok(action.argv.some((a) => a.endsWith("-linkmode=external -extldflags=-static")));
  assert.equal((await actionFor("containerd")).env["CGO_ENABLED"], "0");
});

test("the module cache's place does not decide the result, its go.sum does", async () => {
  const action = await actionFor("runc");
  const moved = { ...action, caches: [] };
  assert.equal(actionDigest(moved), actionDigest(action));
  const { "source/go.sum": _, ...inputs } = action.inputs;
  assert.notEqual(actionDigest({ ...action, inputs }), actionDigest(action));
});

test("lines of go build are packages", () => {
  assert.equal(countPackages("runtime\nerr"), 1);
  assert.equal(countPackages("ors\nfmt\n"), 2);
});

test("the root image holds every program but the initramfs's, and no file is writable or setuid", () => {
  const blob = { digest: sha256("program"), size: 7 };
  const programs = Object.fromEntries(USERLAND_PROGRAMS.map((name) => [name, blob]));
  const files = { osRelease: blob, certificates: blob, containerdConfig: blob };
  const tree = rootfsTree({ programs, ...files, modules: {}, deviceFiles: {} });
  const executables = Object.entries(tree).flatMap(([path, n]) =>
    n.kind === "file" && n.mode === 0o755 ? [path] : [],
  );
  assert.equal(executables.length, USERLAND_PROGRAMS.length - 1);
  for (const path of ["sbin/init", "sbin/modprobe", "usr/bin/kubelet", "usr/bin/cni"])
    assert.ok(executables.includes(path), path);
  for (const [path, node] of Object.entries(tree)) {
    if (node.kind !== "symlink" || node.target.startsWith("/")) continue;
    assert.ok(tree[join(path, "..", node.target)] !== undefined, `${path} leads nowhere`);
  }
});
