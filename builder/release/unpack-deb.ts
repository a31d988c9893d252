// SPDX-License-Identifier: Apache-2.0
// Unpacks a package below a directory and nowhere else. A package may hold a symlink and then files whose paths lead
// through it, as Debian's merged /usr does; symlinks are therefore followed as if the directory were the root of the
// file system (like openat2(2) with RESOLVE_IN_ROOT), by us and never by the kernel.
import { link, lstat, mkdir, open, readlink, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { DebEntry } from "./deb.ts";
import { debEntries } from "./deb.ts";

const MAX_LINKS = 40; // as the kernel

/** A directory that packages are unpacked into, several at once if need be. */
export interface UnpackRoot {
  readonly dir: string;
  /** Real directories by the path that an entry wrote. They are never removed, so an answer stays right. */
  readonly known: Map<string, Promise<string>>;
}

export function unpackRoot(dir: string): UnpackRoot {
  return { dir, known: new Map() };
}

/** Unpacks one package's files. Set-id bits and owners are dropped. Throws ARCHIVE_HOSTILE, FORMAT_INVALID. */
export async function unpackDeb(deb: string, root: UnpackRoot): Promise<void> {
  const links: DebEntry[] = [];
  for await (const entry of debEntries(deb)) {
    if (entry.type === "link") links.push(entry);
    else await unpackEntry(entry, root, deb);
  }
  for (const entry of links) {
    const from = join(await parentInRoot(root, entry.target, deb), basename(entry.target));
    const to = join(await parentInRoot(root, entry.path, deb), basename(entry.path));
    await link(from, to).catch(ignoreExisting).catch(refuse(deb, entry.path));
  }
}

/** The last component of a path is created and never followed; what comes before it is resolved by `parentInRoot`. */
async function unpackEntry(entry: DebEntry, root: UnpackRoot, deb: string): Promise<void> {
  const path = join(await parentInRoot(root, entry.path, deb), basename(entry.path));
  switch (entry.type) {
    case "directory":
      await mkdir(path).catch(ignoreExisting);
      return;
    case "symlink":
      await symlink(entry.target, path).catch(ignoreExisting);
      return;
    case "file":
      await rm(path, { force: true }).catch(refuse(deb, entry.path));
      await writeContent(entry, path);
      return;
    case "link":
    default:
      throw new FactoryError({ code: "BUG", found: entry.type, expected: "no hard link", fix: "report this defect" });
  }
}

/** "wx" is O_EXCL, which does not follow a symlink either; the mode is set on the open file, whatever the umask. */
async function writeContent(entry: DebEntry, path: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of entry.content) await file.writeFile(chunk);
    await file.chmod((entry.mode & 0o755) | 0o400);
  } finally {
    await file.close();
  }
}

/** The real directory that holds `path`, made when missing. No component of the answer is a symlink below the root. */
function parentInRoot(root: UnpackRoot, path: string, deb: string): Promise<string> {
  const parent = dirname(path);
  const known = root.known.get(parent);
  if (known !== undefined) return known;
  const found = enter(root.dir, parent, deb);
  root.known.set(parent, found);
  return found;
}

async function enter(rootDir: string, parent: string, deb: string): Promise<string> {
  const left = parent.split("/");
  const at: string[] = [];
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at.pop(); // at the root ".." is the root
      continue;
    }
    const here = join(rootDir, ...at, part);
    const target = await linkTarget(here, deb);
    if (target === undefined) {
      at.push(part);
      continue;
    }
    if (++links > MAX_LINKS) throw notDirectory(deb, parent, "too many symlinks");
    if (target.startsWith("/")) at.length = 0;
    left.unshift(...target.split("/"));
  }
  return join(rootDir, ...at);
}

/** The target of a symlink at `path`; undefined for a directory, which is made when nothing is there. */
async function linkTarget(path: string, deb: string): Promise<string | undefined> {
  await mkdir(path).catch(ignoreExisting);
  const found = await lstat(path);
  if (found.isDirectory()) return undefined;
  if (found.isSymbolicLink()) return readlink(path);
  throw notDirectory(deb, path, "a file");
}

function notDirectory(deb: string, path: string, found: string): FactoryError {
  return new FactoryError({
    code: "ARCHIVE_HOSTILE",
    file: deb,
    field: path,
    found,
    expected: "a directory, since entries lie below it",
    fix: "do not use this package",
  });
}

/** A handler of system errors that the package caused: a link to nothing, a file over a directory. */
function refuse(deb: string, path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code !== "ENOENT" && error.code !== "ERR_FS_EISDIR" && error.code !== "EISDIR" && error.code !== "EPERM")
      throw error;
    throw new FactoryError({
      code: "ARCHIVE_HOSTILE",
      file: deb,
      field: path,
      found: error.code,
      expected: "an entry that fits those before it",
      fix: "do not use this package",
    });
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
