// SPDX-License-Identifier: Apache-2.0
// Reads the environment once, at the border. Nothing below builder/host sees an environment variable.
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where things are on this host. None of it can reach an output. */
export interface Settings {
  /** Directory of the content-addressed store. `DODEKA_STORE`, else the user's cache directory. */
  readonly storeDir: string;
  /** Base address of a Debian archive (holding `dists/` and `pool/`); undefined: take the host's apt configuration. */
  readonly debianMirror: string | undefined;
  /** The same for the security archive. */
  readonly debianSecurityMirror: string | undefined;
  /** What the user has set of Go's variables and of the usual ones for proxies; for the download of modules. */
  readonly goNetwork: Readonly<Record<string, string>>;
  /** Password of an encrypted signing key: `DODEKA_KEY_PASSWORD`, else cosign's `COSIGN_PASSWORD`; it may be empty. */
  readonly keyPassword: string | undefined;
  /** Passwords for registries: `REGISTRY_AUTH_FILE`, else `config.json` in `DOCKER_CONFIG` or `~/.docker`. */
  readonly registryAuthFile: string;
  /** Present on a terminal that wants no colour. */
  readonly noColor: boolean;
  readonly isCi: boolean;
}

const GO_NETWORK = ["GOPROXY", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/** Settings from the environment of this process, or from `env` in tests. */
export function readSettings(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const home = env["HOME"] ?? homedir();
  const cache = env["XDG_CACHE_HOME"] ?? join(home, ".cache");
  const goNetwork: Record<string, string> = {};
  for (const name of GO_NETWORK.flatMap((n) => [n, n.toLowerCase()])) {
    const value = env[name];
    if (value !== undefined && value !== "") goNetwork[name] = value;
  }
  return {
    storeDir: resolve(env["DODEKA_STORE"] ?? join(cache, "dodeka")),
    debianMirror: env["DODEKA_DEBIAN_MIRROR"],
    debianSecurityMirror: env["DODEKA_DEBIAN_SECURITY_MIRROR"],
    goNetwork,
    keyPassword: env["DODEKA_KEY_PASSWORD"] ?? env["COSIGN_PASSWORD"],
    registryAuthFile: env["REGISTRY_AUTH_FILE"] ?? join(env["DOCKER_CONFIG"] ?? join(home, ".docker"), "config.json"),
    noColor: env["NO_COLOR"] !== undefined || env["TERM"] === "dumb",
    isCi: env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false",
  };
}
