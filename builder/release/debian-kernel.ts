// SPDX-License-Identifier: Apache-2.0
// Takes a stock Debian kernel apart: image, configuration, and the modules that booting needs, in two sets, for the
// initramfs and for the root image. Modules are stored uncompressed: the archive around them compresses better than
// they do one by one, and the kernel need not inflate them one by one while booting.
import { xz } from "@napi-rs/lzma";
import { parse } from "yaml";
import { FactoryError } from "../errors.ts";
import type { Store } from "../host/store.ts";
import { putBytes } from "../host/store.ts";
import { readDebFiles } from "./deb-files.ts";
import type { KernelModule } from "./kernel-modules.ts";
import { chooseModules, renderModulesAlias, renderModulesDep } from "./kernel-modules.ts";
import type { LockedPackage } from "./lock.ts";
import { moduleName, readModinfo } from "./modinfo.ts";
import type { Tree, TreeNode } from "./tree.ts";

/** Names by purpose; `load` are those that stage1 loads without a device asking. */
export interface ModuleLists {
  readonly initramfs: readonly string[];
  readonly root: readonly string[];
  readonly load: readonly string[];
}

const MODULE_LISTS_FILE = "kernel-config/stock-modules.yaml";

/** Narrows kernel-config/stock-modules.yaml. Throws RELEASE_INVALID. */
export function parseModuleLists(text: string): ModuleLists {
  const value = parseLists(text);
  const list = (key: keyof ModuleLists): readonly string[] => {
    const items = value[key];
    if (Array.isArray(items) && items.every((i) => typeof i === "string" && /^[A-Za-z0-9_-]+$/.test(i)))
      return items as string[];
    throw wrongLists(key, items, "a list of module names");
  };
  return { initramfs: list("initramfs"), root: list("root"), load: list("load") };
}

function parseLists(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (error) {
    throw wrongLists("document", error instanceof Error ? error.message.split("\n", 1).join() : "text", "YAML");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongLists("document", value, "lists by purpose");
  const unknown = Object.keys(value).find((key) => !["initramfs", "root", "load"].includes(key));
  if (unknown !== undefined) throw wrongLists(unknown, unknown, "initramfs, root or load");
  return value as Readonly<Record<string, unknown>>;
}

function wrongLists(field: string, found: unknown, expected: string): FactoryError {
  const fix = "correct the file";
  return new FactoryError({ code: "RELEASE_INVALID", file: MODULE_LISTS_FILE, field, found, expected, fix });
}

/**
 * Outputs: `vmlinuz`, `config`, and below `initramfs/` and `root/` a folder `lib/modules/<release>/` each, with
 * modules.dep, modules.alias, modules.builtin and (initramfs) dodeka.load.
 */
export async function unpackDebianKernel(store: Store, entry: LockedPackage, lists: ModuleLists): Promise<Tree> {
  const release = entry.name.replace(/^linux-image-/, "");
  const base = `usr/lib/modules/${release}/`;
  const files = await readDebFiles(store, entry, (p) => p.startsWith(base) || p.startsWith("boot/"));
  const builtinText = textOf(files, `${base}modules.builtin`);
  const builtin = new Set(builtinText.split("\n").filter(Boolean).map(moduleName));
  const modules = moduleReader(files, base);
  const tree: Record<string, TreeNode> = {
    vmlinuz: await fileNode(store, bytesOf(files, `boot/vmlinuz-${release}`)),
    config: await fileNode(store, bytesOf(files, `boot/config-${release}`)),
  };
  for (const set of ["initramfs", "root"] as const) {
    const early = [...lists.initramfs, ...lists.load];
    const names = set === "initramfs" ? early : [...early, ...lists.root]; // a disk may be plugged in later too
    const chosen = await chooseModules(names, set, builtin, modules.find);
    const put = async (path: string, bytes: Uint8Array | string): Promise<void> => {
      tree[`${set}/lib/modules/${release}/${path}`] = await fileNode(store, bytes);
    };
    for (const module of chosen) await put(module.path, await modules.bytes(module.path));
    await put("modules.dep", renderModulesDep(chosen));
    await put("modules.alias", renderModulesAlias(chosen));
    await put("modules.builtin", builtinText);
    if (set === "initramfs") await put("dodeka.load", `${lists.load.join("\n")}\n`);
  }
  return tree;
}

interface ModuleReader {
  readonly find: (name: string) => Promise<KernelModule | undefined>;
  readonly bytes: (path: string) => Promise<Buffer>;
}

function moduleReader(files: ReadonlyMap<string, Buffer>, base: string): ModuleReader {
  const packed = new Map([...files.keys()].filter((p) => /\.ko(\.xz)?$/.test(p)).map((p) => [moduleName(p), p]));
  const plain = new Map<string, Buffer>();
  const inflate = async (packedPath: string): Promise<Buffer> => {
    const known = plain.get(packedPath);
    if (known !== undefined) return known;
    const raw = bytesOf(files, packedPath);
    const bytes = packedPath.endsWith(".xz") ? await xz.decompress(raw) : raw;
    plain.set(packedPath, bytes);
    return bytes;
  };
  return {
    find: async (name) => {
      const packedPath = packed.get(name);
      if (packedPath === undefined) return undefined;
      const path = packedPath.slice(base.length).replace(/\.xz$/, "");
      return { path, info: readModinfo(path, await inflate(packedPath)) };
    },
    bytes: async (path) => inflate(packed.get(moduleName(path)) ?? path),
  };
}

async function fileNode(store: Store, bytes: Uint8Array | string): Promise<TreeNode> {
  return { kind: "file", blob: await putBytes(store, bytes), mode: 0o644 };
}

function bytesOf(files: ReadonlyMap<string, Buffer>, path: string): Buffer {
  const found = files.get(path);
  if (found !== undefined) return found;
  throw new FactoryError({
    code: "FORMAT_INVALID",
    field: "kernel package",
    found: "no such file",
    expected: path,
    fix: "refresh the lock",
  });
}

function textOf(files: ReadonlyMap<string, Buffer>, path: string): string {
  return bytesOf(files, path).toString("utf8");
}
