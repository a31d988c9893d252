// SPDX-License-Identifier: Apache-2.0
// What the userland is built from: Go modules, the programs that each gives, and how upstream's release builds them. The
// modules of upstream hold no code: their go.mod pins a version and names the program as a tool, so that the binary says
// of itself which module, version and checksum it is. Where the programs go is said in rootfs.ts.

interface Module {
  /** Below userland/; "." is the module of our own programs. */
  readonly folder: string;
  /** Packages with a main function; each gives a program of its last element's name. */
  readonly packages: readonly string[];
}

/** Programs of ours, a folder each. */
export interface OwnModule extends Module {
  readonly kind: "own";
}

/** Programs of a module that go.mod requires, taken as they are. */
export interface UpstreamModule extends Module {
  readonly kind: "upstream";
  /** Its path in go.mod, which gives the version too. */
  readonly upstream: string;
  readonly tags: readonly string[];
  /** Variables that the linker sets, from the version as go.mod has it (`v1.2.3`). */
  readonly variables: (version: string) => Readonly<Record<string, string>>;
  /** Packages of the toolbox whose C code is linked in; none for a program of Go alone. */
  readonly linked: readonly string[];
}

/** Several programs of a required module in one file, made of their sources (multicall.ts). */
export interface MulticallModule extends Module {
  readonly kind: "multicall";
  readonly upstream: string;
  /** Folders of the required module by the name that a program is called by. */
  readonly applets: Readonly<Record<string, string>>;
  /** Variables that the linker sets. */
  readonly variables: (version: string) => Readonly<Record<string, string>>;
}

export type UserlandModule = OwnModule | UpstreamModule | MulticallModule;

const CONTAINERD = "github.com/containerd/containerd/v2";
const PLUGINS = "github.com/containernetworking/plugins";
const KUBERNETES_VERSION = "k8s.io/component-base/version";

/** Nothing here resolves names or accounts through libc. */
const STATIC_TAGS = ["netgo", "osusergo"];

const containerdVersion = (version: string): Readonly<Record<string, string>> => ({
  [`${CONTAINERD}/version.Version`]: version,
});

/** The longest compile first: it decides when all are done. */
export const USERLAND_MODULES: readonly UserlandModule[] = [
  {
    kind: "upstream",
    folder: "kubelet",
    packages: ["k8s.io/kubernetes/cmd/kubelet"],
    upstream: "k8s.io/kubernetes",
    // As hack/lib/golang.sh sets them.
    tags: ["selinux", "notest", "grpcnotrace"],
    variables: kubernetesVersion,
    linked: [],
  },
  {
    kind: "own",
    folder: ".",
    packages: ["./apid", "./dashboard", "./init", "./modprobe", "./mount", "./stage1", "./trustd"],
  },
  {
    kind: "upstream",
    folder: "containerd",
    packages: [`${CONTAINERD}/cmd/containerd`],
    upstream: CONTAINERD,
    // Snapshotters for file systems that the kernel lacks, or that call tools which the image does not have.
    tags: [...STATIC_TAGS, "static_build", "urfave_cli_no_docs", "no_btrfs", "no_devmapper", "no_zfs"],
    variables: containerdVersion,
    linked: [],
  },
  {
    kind: "upstream",
    folder: "containerd-shim-runc-v2",
    packages: [`${CONTAINERD}/cmd/containerd-shim-runc-v2`],
    upstream: CONTAINERD,
    tags: [...STATIC_TAGS, "static_build", "urfave_cli_no_docs", "no_grpc"],
    variables: containerdVersion,
    linked: [],
  },
  {
    kind: "upstream",
    folder: "runc",
    packages: ["github.com/opencontainers/runc"],
    upstream: "github.com/opencontainers/runc",
    // Without upstream's libpathrs, a Rust library that Debian does not have; runc does the same in Go then.
    tags: [...STATIC_TAGS, "seccomp", "urfave_cli_no_docs"],
    variables: () => ({}), // it carries its version itself
    linked: ["libc6-dev", "libgcc-14-dev", "libseccomp-dev"],
  },
  {
    kind: "multicall",
    folder: "cni",
    packages: ["dodeka/userland/cni"],
    upstream: PLUGINS,
    applets: {
      bridge: "plugins/main/bridge",
      "host-local": "plugins/ipam/host-local",
      loopback: "plugins/main/loopback",
      portmap: "plugins/meta/portmap",
    },
    variables: (version) => ({ [`${PLUGINS}/pkg/utils/buildversion.BuildVersion`]: version }),
  },
];

/** Every program by name. */
export const USERLAND_PROGRAMS: readonly string[] = USERLAND_MODULES.flatMap((m) => m.packages.map(programName)).sort();

/** Packages of the toolbox that are parts of the root image, because a program is linked with them. */
export const LINKED_PACKAGES: readonly string[] = USERLAND_MODULES.flatMap((m) =>
  m.kind === "upstream" ? m.linked : [],
);

/** The name that go build gives the program of a package. */
export function programName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The commit is not known: go.sum pins content, not history. */
function kubernetesVersion(version: string): Readonly<Record<string, string>> {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  return {
    [`${KUBERNETES_VERSION}.gitVersion`]: version,
    [`${KUBERNETES_VERSION}.gitMajor`]: major,
    [`${KUBERNETES_VERSION}.gitMinor`]: minor,
    [`${KUBERNETES_VERSION}.gitCommit`]: "",
    [`${KUBERNETES_VERSION}.gitTreeState`]: "clean",
  };
}
