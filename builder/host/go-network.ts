// SPDX-License-Identifier: Apache-2.0
// What fetching Go modules inside a toolbox needs of this host: its variables and its files. They serve fetching only,
// go.sum decides what is accepted.
import { stat } from "node:fs/promises";
import type { Settings } from "./settings.ts";

export interface GoNetwork {
  /** The user's own; without GOPROXY Go takes its default. */
  readonly env: Readonly<Record<string, string>>;
  /** For name resolution and TLS, as far as this host has them. */
  readonly files: readonly string[];
}

const FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

export async function findGoNetwork({ goNetwork }: Settings): Promise<GoNetwork> {
  const found = await Promise.all(FILES.map((path) => stat(path).then(Boolean, () => false)));
  return { env: goNetwork, files: FILES.filter((_, i) => found[i]) };
}
