// SPDX-License-Identifier: Apache-2.0
// The command line: names, options and help of every command. What a command does is in the file of its name, which is
// loaded only when the command runs: building an image must not wait for the OpenPGP reader.
import { Command, InvalidArgumentError, Option } from "commander";
import type { ProfileOverrides } from "../profile/overrides.ts";
import { profileOptions } from "../profile/overrides.ts";
import { EXIT_MEANINGS } from "../report/exit-code.ts";
import { addDiff, addReproduce, addScan } from "./compare-program.ts";
import { DEFAULT_KEYRING } from "./context.ts";
import { addKey, addSign, addSigningOptions, addVerify, signingOptions } from "./evidence-program.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import type { ReleaseBuildOptions } from "./release.ts";
import type { RunOptions } from "./run.ts";

export interface Program {
  readonly parseAsync: (args: readonly string[], options: { from: "user" }) => Promise<unknown>;
  /** Exit code of the command that ran, when it has one of its own. */
  readonly result: () => number | undefined;
}

type Add = (program: Command, context: CommandContext, finish: (result: CommandResult) => Promise<void>) => void;

/** Every command of dodeka; `parseAsync` runs one. */
export function createProgram(context: CommandContext): Program {
  let code: number | undefined;
  const finish = async (result: CommandResult): Promise<void> => {
    code = await result;
  };
  const program = new Command("dodeka");
  program.description("Builds reproducible images of an immutable, API-managed Kubernetes OS.");
  program.version(context.version, "-V, --version", "print the version");
  program.option("--json", "print progress and results as one JSON event a line");
  program.addHelpText("after", mainHelp());
  program.exitOverride().showHelpAfterError("(add --help for the options)");
  const commands: readonly Add[] = [
    addBuild,
    addPlan,
    addRun,
    addRelease,
    addKernel,
    addLock,
    addStore,
    addVerify,
    addSign,
    addKey,
    addDiff,
    addScan,
    addReproduce,
    addDoctor,
  ];
  for (const add of commands) add(program, context, finish);
  const withJson = (command: Command): void => {
    command.option("--json", "print one JSON event a line");
    command.commands.forEach(withJson);
  };
  program.commands.forEach(withJson);
  return { parseAsync: (args, options) => program.parseAsync([...args], options), result: () => code };
}

function mainHelp(): string {
  const codes = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
  return `
Examples:
  dodeka release build            compile the parts once (minutes)
  dodeka build metal -o out       build every output of a profile (seconds)
  dodeka run out/metal-amd64.iso  boot one in QEMU

Exit codes:
${codes.join("\n")}

Environment:
  DODEKA_STORE                    the store's directory (default: dodeka in the user's cache directory)
  DODEKA_KEY_PASSWORD             password of an encrypted signing key (else COSIGN_PASSWORD)
  DODEKA_DEBIAN_MIRROR            a Debian archive (default: the one in apt's configuration)
  DODEKA_DEBIAN_SECURITY_MIRROR   a Debian security archive (likewise)`;
}

const addBuild: Add = (program, context, finish) => {
  const command = program.command("build").argument("<profile>", "a profile's path, or the name of one that ships");
  command.description("build the images of a profile, each with its evidence beside it");
  command.option("-o, --out <dir>", "directory for the images; made when missing", "out");
  addPlanningOptions(command);
  addSigningOptions(command);
  command.addHelpText("after", example("dodeka build metal -o out --output raw --kernel-arg quiet"));
  command.action((profile: string, values: Values) =>
    finish(
      import("./build.ts").then((m) =>
        m.runBuild(context, {
          profile,
          ...planning(values),
          outputDir: String(values["out"]),
          signing: signingOptions(values),
        }),
      ),
    ),
  );
};

const addPlan: Add = (program, context, finish) => {
  const command = program.command("plan").argument("<profile>", "a profile's path, or the name of one that ships");
  command.description("print what a build would make, with every digest, offset and identifier");
  addPlanningOptions(command);
  command.addOption(
    new Option("--format <format>", "canonical prints the bytes whose SHA-256 is the plan's id")
      .choices(["pretty", "canonical", "id"])
      .default("pretty"),
  );
  command.addHelpText("after", example("dodeka plan metal --format canonical | sha256sum"));
  command.action((profile: string, values: Values) =>
    finish(
      import("./plan.ts").then((m) =>
        m.runPlan(context, { profile, ...planning(values) }, values["format"] as "pretty" | "canonical" | "id"),
      ),
    ),
  );
};

const addRun: Add = (program, context, finish) => {
  const command = program.command("run").argument("<image>", "a raw disk, an ISO or a UKI");
  command.description("boot an image in QEMU and show its serial console; the image is not changed");
  command.addOption(new Option("--firmware <kind>", "OVMF or SeaBIOS").choices(["uefi", "bios"]).default("uefi"));
  command.addOption(
    new Option("--as <device>", "how to attach the image (default: cdrom for .iso, else disk)").choices([
      "disk",
      "cdrom",
      "usb",
      "nvme",
      "ahci",
    ]),
  );
  command.option("--memory <MiB>", "memory of the machine", wholeNumber, 1024);
  command.addOption(
    new Option("--sector-size <bytes>", "logical sectors of the disk").choices(["512", "4096"]).default("512"),
  );
  command.option("--nic <model>", "network adapter", "virtio-net-pci");
  command.option("--serial-only", "a machine without a display adapter", false);
  command.addOption(
    new Option("--accel <kind>", "auto takes KVM only when a probe shows that it works")
      .choices(["auto", "tcg", "kvm"])
      .default("auto"),
  );
  command.addOption(
    new Option("--until <event>", "ready: press the power button once the machine is up")
      .choices(["poweroff", "ready"])
      .default("poweroff"),
  );
  command.option("--timeout <seconds>", "stop the machine after so many seconds, as a failure", wholeNumber);
  command.option("--attest", "write beside the image what was seen; signed when a key or an identity is given", false);
  addSigningOptions(command);
  command.addHelpText(
    "after",
    example("dodeka run out/metal-amd64.iso --firmware bios --as usb --until ready --timeout 300"),
  );
  command.action((image: string, values: Values) =>
    finish(import("./run.ts").then((m) => m.runRun(context, runOptions(image, values)))),
  );
};

const addRelease: Add = (program, context, finish) => {
  const group = program.command("release").description("compile the parts of one OS version, and show them");
  const build = group.command("build").description("compile what is not in the store yet");
  build.option("--if-missing", "do nothing when the store has a complete release", false);
  build.addOption(
    new Option("--kernel <flavour>", "source: our own, compiled (half an hour once); stock: Debian's, as it is")
      .choices(["source", "stock"])
      .default("source"),
  );
  build.option("--no-modules", "leave out the extensions with drivers for wider hardware (kernel from source)");
  build.addHelpText("after", example("dodeka release build"));
  build.action((values: Values) =>
    finish(import("./release.ts").then((m) => m.runReleaseBuild(context, releaseOptions(values)))),
  );
  const show = group.command("show").argument("[digest]", "a release's digest (default: the current one)");
  show.description("print a release's manifest").addHelpText("after", example("dodeka release show"));
  show.action((digest: string | undefined) =>
    finish(import("./release.ts").then((m) => m.runReleaseShow(context, digest))),
  );
};

function releaseOptions(values: Values): ReleaseBuildOptions {
  const kernel = {
    flavour: values["kernel"] as ReleaseBuildOptions["kernel"]["flavour"],
    modules: values["modules"] !== false,
  };
  return { ifMissing: values["ifMissing"] === true, kernel };
}

const addKernel: Add = (program, context, finish) => {
  const group = program.command("kernel").description("check the kernel's configuration, and what it changes");
  const check = group.command("check").argument("[config]", "a .config (default: what the fragments give)");
  check.description("hold it against the requirements and the hardening checker");
  check.addHelpText("after", example("dodeka kernel check"));
  check.action((config: string | undefined) =>
    finish(import("./kernel.ts").then((m) => m.runKernelCheck(context, config))),
  );
  const diff = group.command("diff").description("show what fragments and source change against the newest release");
  diff.addHelpText("after", example("dodeka lock && dodeka kernel diff"));
  diff.action(() => finish(import("./kernel.ts").then((m) => m.runKernelDiff(context))));
};

const addLock: Add = (program, context, finish) => {
  const command = program.command("lock").description("refresh the lock to what the Debian archive holds now");
  command.option("--keyring <file>", "OpenPGP keys that may sign the archive", DEFAULT_KEYRING);
  command.option("--dry-run", "print what would change, and change nothing", false);
  command.addHelpText("after", example("dodeka lock --dry-run"));
  command.action((values: Values) =>
    finish(
      import("./lock.ts").then((m) =>
        m.runLock(context, { keyring: String(values["keyring"]), dryRun: values["dryRun"] === true }),
      ),
    ),
  );
};

const addStore: Add = (program, context, finish) => {
  const group = program.command("store").description("look after the content-addressed store");
  const verify = group.command("verify").description("hash every blob and name the damaged ones");
  verify.option("--repair", "remove damaged blobs, so that they are made again", false);
  verify.addHelpText("after", example("dodeka store verify --repair"));
  verify.action((values: Values) =>
    finish(import("./store.ts").then((m) => m.runStoreVerify(context, { repair: values["repair"] === true }))),
  );
  const gc = group.command("gc").description("remove what no release and no lock entry needs");
  gc.option("--dry-run", "print what would go, and remove nothing", false);
  gc.option("--all", "remove results of compile steps too, however recent", false);
  gc.addHelpText("after", example("dodeka store gc --dry-run"));
  gc.action((values: Values) =>
    finish(
      import("./store.ts").then((m) =>
        m.runStoreGc(context, { dryRun: values["dryRun"] === true, all: values["all"] === true }),
      ),
    ),
  );
};

const addDoctor: Add = (program, context, finish) => {
  const command = program.command("doctor").description("say what this host lacks, and how to get it");
  command.addHelpText("after", example("dodeka doctor"));
  command.action(() => finish(import("./doctor.ts").then((m) => m.runDoctor(context))));
};

type Values = Readonly<Record<string, unknown>>;

/** The options that override profile fields come from the profile's own table. */
function addPlanningOptions(command: Command): void {
  command.option("--release <digest>", "the release to build from (default: the store's current one)");
  for (const option of profileOptions()) {
    command.option(`${option.flag} <${option.argument}${option.repeatable ? "..." : ""}>`, option.help);
  }
}

function planning(values: Values): { overrides: ProfileOverrides; release: string | undefined } {
  const overrides: Record<string, unknown> = {};
  for (const { flag, key } of profileOptions()) {
    const value = values[camelCase(flag.replace(/^--/, ""))];
    if (value !== undefined) overrides[key] = value;
  }
  return { overrides, release: values["release"] as string | undefined };
}

function runOptions(image: string, values: Values): RunOptions {
  const seconds = values["timeout"] as number | undefined;
  return {
    image,
    firmware: values["firmware"] as RunOptions["firmware"],
    as: values["as"] as RunOptions["as"],
    memoryMib: values["memory"] as number,
    sectorBytes: values["sectorSize"] === "4096" ? 4096 : 512,
    serialOnly: values["serialOnly"] === true,
    accelerator: values["accel"] as RunOptions["accelerator"],
    nic: String(values["nic"]),
    until: values["until"] as RunOptions["until"],
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    attest: attestOption(values),
  };
}

function attestOption(values: Values): RunOptions["attest"] {
  const signing = signingOptions(values);
  if (values["attest"] === true) return { signing };
  if (signing === undefined) return undefined;
  throw new InvalidArgumentError("Signing options go with --attest.");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError("Write a whole number above 0.");
}

function camelCase(text: string): string {
  return text.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}
