// SPDX-License-Identifier: Apache-2.0
// Runs a command inside a toolbox. bubblewrap comes from the toolbox itself and is started through the toolbox's own
// dynamic loader, so that the host lends nothing but its kernel. As an ordinary user it makes a user namespace; as root
// it does without one, so that hosts with user namespaces switched off work too, unless the command asks for powers.
import { join } from "node:path";
import { FactoryError } from "../errors.ts";

export interface SandboxCommand {
  /** Program (found on the toolbox's PATH) and arguments. */
  readonly argv: readonly string[];
  /** The whole environment, apart from PATH, HOME and LC_ALL, which are fixed. */
  readonly env?: Readonly<Record<string, string>>;
  /** Host directories or files made visible inside. */
  readonly binds: readonly { readonly host: string; readonly inside: string; readonly writable: boolean }[];
  readonly cwd?: string;
  /** Only fetching steps and guests get the network. */
  readonly network?: boolean;
  /** Device nodes of the host, such as /dev/kvm. */
  readonly devices?: readonly string[];
  /** All capabilities in a user namespace of its own, for tests that mount or make networks; none over the host. */
  readonly powers?: boolean;
}

export interface SandboxOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ends the command early without that being an error. */
  readonly stopSignal?: AbortSignal | undefined;
  /** Hands standard input to the command; otherwise it has none. */
  readonly passInput?: boolean;
  readonly onOutput?: (chunk: string) => void;
  /** Kills the command after so many milliseconds. */
  readonly timeoutMs?: number;
}

export interface SandboxResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

const LIBRARIES = "usr/lib/x86_64-linux-gnu";
const LOADER = `${LIBRARIES}/ld-linux-x86-64.so.2`;
const KILL_AFTER_MS = 5000;

/** argv of the host process that enters the toolbox at `root` and runs `command`. */
export function sandboxArgv(root: string, command: SandboxCommand, isRoot: boolean): readonly string[] {
  const libraries = join(root, LIBRARIES);
  const argv = [join(root, LOADER), "--library-path", libraries, join(root, "usr/bin/bwrap")];
  // As anybody else we become root inside, so that files read as root's. As root no user namespace is needed, and the
  // command keeps none of root's powers: bubblewrap drops them itself only in a user namespace.
  const powers = command.powers === true;
  argv.push(...(isRoot && !powers ? ["--cap-drop", "ALL"] : ["--unshare-user", "--uid", "0", "--gid", "0"]));
  if (powers) argv.push("--unshare-cgroup", "--cap-add", "ALL");
  argv.push(
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--hostname",
    "toolbox",
    "--die-with-parent",
    "--new-session",
  );
  if (command.network !== true) argv.push("--unshare-net");
  argv.push(
    "--clearenv",
    "--setenv",
    "PATH",
    "/usr/bin:/usr/sbin",
    "--setenv",
    "HOME",
    "/root",
    "--setenv",
    "LC_ALL",
    "C",
  );
  for (const [name, value] of Object.entries(command.env ?? {})) argv.push("--setenv", name, value);
  argv.push(
    "--ro-bind",
    root,
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--tmpfs",
    "/var/tmp",
    "--tmpfs",
    "/root",
  );
  for (const device of command.devices ?? []) argv.push("--dev-bind-try", device, device);
  for (const { host, inside, writable } of command.binds) argv.push(writable ? "--bind" : "--ro-bind", host, inside);
  argv.push("--chdir", command.cwd ?? "/", "--", ...command.argv);
  return argv;
}

/** Runs the command and reports how it ended; a non-zero exit is the caller's to judge. */
export async function runInSandbox(
  root: string,
  command: SandboxCommand,
  options: SandboxOptions = {},
): Promise<SandboxResult> {
  const [file, ...args] = sandboxArgv(root, command, process.getuid?.() === 0);
  if (file === undefined) throw new Error("BUG: empty argv");
  const { execa } = await import("execa"); // a hundred files, which commands that start nothing do not wait for
  const child = execa(file, args, {
    extendEnv: false,
    env: {},
    reject: false,
    cleanup: true,
    forceKillAfterDelay: KILL_AFTER_MS,
    stdin: options.passInput === true ? "inherit" : "ignore",
    buffer: true,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (options.onOutput !== undefined) {
    child.stdout?.on("data", (c: Buffer) => options.onOutput?.(c.toString("utf8")));
    child.stderr?.on("data", (c: Buffer) => options.onOutput?.(c.toString("utf8")));
  }
  const stop = (): void => void child.kill("SIGTERM");
  options.stopSignal?.addEventListener("abort", stop, { once: true });
  const result = await child;
  options.stopSignal?.removeEventListener("abort", stop);
  if (result.isCanceled) throw cancelled();
  if (result.exitCode === undefined && result.signal === undefined)
    throw notStarted(file, result.cause ?? result.message);
  return {
    exitCode: result.exitCode ?? 128,
    stdout: text(result.stdout),
    stderr: text(result.stderr),
    timedOut: result.timedOut,
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function cancelled(): FactoryError {
  return new FactoryError({
    code: "CANCELLED",
    expected: "to finish",
    fix: "run the command again; it goes on where it was",
  });
}

function notStarted(file: string, cause: unknown): FactoryError {
  return new FactoryError({
    code: "HOST_UNFIT",
    file,
    field: "toolbox",
    found: cause instanceof Error ? cause.message : String(cause),
    expected: "an x86-64 Linux kernel that runs it",
    fix: "run `dodeka doctor`",
    cause,
  });
}
