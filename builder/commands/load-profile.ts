// SPDX-License-Identifier: Apache-2.0
// PROFILE on a command line: a path, or the name of a profile that ships in profiles/.
import { readdirSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { FactoryError } from "../errors.ts";
import type { BlobRef } from "../layout/digest.ts";
import { MACHINE_CONFIG_MAX_BYTES } from "../profile/model.ts";
import type { Profile } from "../profile/model.ts";
import type { ProfileOverrides } from "../profile/overrides.ts";
import { applyOverrides } from "../profile/overrides.ts";
import { parseProfile } from "../profile/parse.ts";
import type { Store } from "../host/store.ts";
import { putBytes } from "../host/store.ts";

const PROFILES_DIR = fileURLToPath(new URL("../../profiles", import.meta.url));
const MAX_PROFILE_BYTES = 1024 * 1024;

export interface LoadedProfile {
  readonly profile: Profile;
  /** As the user would write it. */
  readonly file: string;
  readonly text: string;
}

/** Reads and checks a profile, then applies the options. Throws FactoryErrors that name every problem. */
export async function loadProfile(nameOrPath: string, overrides: ProfileOverrides): Promise<LoadedProfile> {
  const file = await findProfile(nameOrPath);
  const { size } = await stat(file);
  if (size > MAX_PROFILE_BYTES) throw invalid(file, `${size} bytes`, `at most ${MAX_PROFILE_BYTES} bytes`);
  const text = await readFile(file, "utf8");
  const shown = relative(process.cwd(), file).startsWith("..") ? file : relative(process.cwd(), file);
  return { profile: applyOverrides(parseProfile(text, shown), overrides), file: shown, text };
}

async function findProfile(nameOrPath: string): Promise<string> {
  const isPath = nameOrPath.includes(sep) || /\.ya?ml$/.test(nameOrPath);
  const path = isPath ? resolve(nameOrPath) : join(PROFILES_DIR, `${nameOrPath}.yaml`);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return path;
  const shipped = readdirSync(PROFILES_DIR).flatMap((n) => (n.endsWith(".yaml") ? [basename(n, ".yaml")] : []));
  throw new FactoryError({
    code: "USAGE",
    field: "PROFILE",
    found: nameOrPath,
    expected: `the path of a profile, or one that ships: ${shipped.join(", ")}`,
    fix: isPath
      ? "correct the path"
      : `write one of ${shipped.join(", ")}, or ./${nameOrPath}.yaml for a file of yours`,
  });
}

/** Puts the profile's machine configuration into the store; null when it has none. The file must lie below the profile's folder. */
export function loadMachineConfig(store: Store, { profile, file }: LoadedProfile): Promise<BlobRef | null> {
  return machineConfigBlob(store, profile, async (path) =>
    putBytes(store, await readBelow(dirname(resolve(file)), path, file)),
  );
}

/** The same, with another way to a configuration that the profile names by path. */
export async function machineConfigBlob(
  store: Store,
  { machineConfig }: Profile,
  blobOf: (path: string) => Promise<BlobRef>,
): Promise<BlobRef | null> {
  switch (machineConfig.kind) {
    case "none":
      return null;
    case "inline":
      return putBytes(store, machineConfig.text);
    case "file":
      return blobOf(machineConfig.path);
    default:
      return machineConfig satisfies never;
  }
}

/** Reads a bounded regular file; a symlink that leads out of `dir` is refused, since a profile may come from anybody. */
async function readBelow(dir: string, path: string, profile: string): Promise<Buffer> {
  const wrong = (found: unknown, expected: string): FactoryError =>
    invalid(profile, found, expected, "machineConfig.file");
  const real = await realpath(join(dir, path)).catch(() => undefined);
  if (real === undefined) throw wrong(path, "a file that exists, relative to the profile");
  if (!real.startsWith(`${await realpath(dir)}${sep}`)) throw wrong(path, "a file below the profile's folder");
  const found = await stat(real);
  if (!found.isFile()) throw wrong(path, "a regular file");
  if (found.size > MACHINE_CONFIG_MAX_BYTES)
    throw wrong(`${found.size} bytes`, `at most ${MACHINE_CONFIG_MAX_BYTES} bytes`);
  return readFile(real);
}

function invalid(file: string, found: unknown, expected: string, field?: string): FactoryError {
  return new FactoryError({ code: "PROFILE_INVALID", file, field, found, expected, fix: "correct the profile" });
}
