// SPDX-License-Identifier: Apache-2.0
// The image that machines of a test run etcd from: its server and its tool for snapshots, built from their published
// modules, in the places where the project's own image has them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { ROOT } from "../structure/tracked-files.ts";
import { buildProgram } from "../talosctl/build.ts";

const PROGRAMS = [
  { name: "etcd", packagePath: "go.etcd.io/etcd/server/v3" },
  { name: "etcdutl", packagePath: "go.etcd.io/etcd/etcdutl/v3" },
];

/** Of a container that is asked for nothing else. */
export const ETCD_CONFIG: object = {
  Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  Entrypoint: ["/usr/local/bin/etcd"],
};

/** A layer with the programs, a tar. */
export async function buildEtcd(): Promise<Buffer> {
  const archive = pack();
  for (const { name, packagePath } of PROGRAMS) {
    const program = await buildProgram({ name, dir: join(ROOT, "test/etcd"), packagePath });
    archive.entry({ name: `usr/local/bin/${name}`, mode: 0o755, mtime: new Date(0) }, readFileSync(program));
  }
  archive.finalize();
  return buffer(archive);
}
