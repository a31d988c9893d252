// SPDX-License-Identifier: Apache-2.0
// Reads an OSV database entry by entry: a directory of JSON files (folders within it too), a ZIP archive as osv.dev
// offers them (all.zip), or a JSON file with one entry or a list of them.
import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import { EVIDENCE_MAX_BYTES, parseJson } from "../evidence/json.ts";
import { readBounded } from "../host/read-bounded.ts";
import { withReadableFile } from "../host/readable-file.ts";
import { OSV_MAX_BYTES, parseOsv } from "../scan/osv.ts";
import type { OsvEntry } from "../scan/osv.ts";
import { readZip } from "../scan/zip-read.ts";

const MAX_FILES = 2_000_000;
const MAX_LEVELS = 8;

type Use = (entry: OsvEntry) => void;

/** Calls `use` for every entry, in no particular order. Throws EVIDENCE_INVALID, FORMAT_INVALID, USAGE. */
export async function readOsvDatabase(database: string, use: Use): Promise<void> {
  const found = await stat(database).catch(() => undefined);
  if (found?.isDirectory() === true) return readFolder(database, use);
  if (database.endsWith(".zip")) return readArchive(database, use);
  const value = parseJson(await readBounded(database, EVIDENCE_MAX_BYTES), database);
  for (const entry of Array.isArray(value) ? (value as unknown[]) : [value]) use(parseOsv(entry, database));
}

async function readFolder(root: string, use: Use): Promise<void> {
  const pending = [{ dir: root, level: 0 }];
  let files = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.level > MAX_LEVELS) throw unusable(next.dir, `${next.level} levels`, `at most ${MAX_LEVELS}`);
    for await (const entry of await opendir(next.dir)) {
      const path = join(next.dir, entry.name);
      if (entry.isDirectory()) pending.push({ dir: path, level: next.level + 1 });
      else if (!entry.isFile())
        throw unusable(path, "a link or a device", "files and folders: all of it is to be read");
      if (!entry.isFile() || !entry.name.endsWith(".json")) continue;
      if (++files > MAX_FILES) throw unusable(root, `${files} files`, `at most ${MAX_FILES}`);
      use(parseOsv(parseJson(await readBounded(path, OSV_MAX_BYTES), path), path));
    }
  }
}

async function readArchive(file: string, use: Use): Promise<void> {
  await withReadableFile(file, async (image) => {
    for await (const { name, bytes } of readZip(image, OSV_MAX_BYTES)) {
      if (name.endsWith(".json")) use(parseOsv(parseJson(bytes, `${file} ${name}`), name));
    }
  });
}

function unusable(file: string, found: string, expected: string): FactoryError {
  return new FactoryError({ code: "USAGE", file, field: "--db", found, expected, fix: "give another database" });
}
