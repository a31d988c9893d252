// SPDX-License-Identifier: Apache-2.0
// dodeka reproduce: builds an artifact again from its provenance alone and compares. Everything is compiled in an empty
// store; only downloads are taken from the usual one, by digest. On a difference it names the field that differs.
// Exit code 0: equal; 1: it differs.
import { mkdtemp } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { compareTables } from "../compare/changes.ts";
import type { Difference } from "../compare/explain-difference.ts";
import { explainDifference } from "../compare/explain-difference.ts";
import { jsonTable } from "../compare/json-table.ts";
import { renderBundle, signStatement } from "../evidence/bundle.ts";
import { EVIDENCE_MAX_BYTES } from "../evidence/json.ts";
import { REBUILD_SUFFIX, documentSuffix } from "../evidence/kinds.ts";
import type { Provenance } from "../evidence/read-provenance.ts";
import { readProvenance } from "../evidence/read-provenance.ts";
import type { Rebuild } from "../evidence/rebuild.ts";
import { rebuildStatement } from "../evidence/rebuild.ts";
import { expectStatement, parseStatement, renderStatement } from "../evidence/statement.ts";
import { streamArtifact } from "../host/evidence-files.ts";
import { replaceFile } from "../host/partial-file.ts";
import { readBounded } from "../host/read-bounded.ts";
import { withReadableFile } from "../host/readable-file.ts";
import { removeTree } from "../host/remove-tree.ts";
import { describeWriteError } from "../host/write-error.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sha256 } from "../layout/digest.ts";
import { findSources } from "./build-facts.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { asStep, contextStore } from "./context.ts";
import { rebuild } from "./reproduce-build.ts";
import type { Rebuilt, RebuildScope } from "./reproduce-build.ts";
import { requireSameCheckout } from "./reproduce-checks.ts";
import { openSigner } from "./sign-options.ts";
import type { SigningOptions } from "./sign-options.ts";

export interface ReproduceOptions {
  readonly file: string;
  /** Undefined: the one beside the file. */
  readonly provenance: string | undefined;
  readonly scope: RebuildScope;
  /** Steps that are not run again. */
  readonly except: readonly string[];
  /** Goes on with sources other than those that the provenance names. */
  readonly anyCheckout: boolean;
  /** Undefined: nothing is attested. */
  readonly attest: SigningOptions | undefined;
}

interface Verdict {
  readonly equal: boolean;
  readonly scope: RebuildScope;
  readonly except: readonly string[];
  readonly file: string;
  readonly digests: { readonly file: Sha256; readonly rebuilt: Sha256; readonly promised: Sha256 };
  /** Parts and members of the plan that came out otherwise than the provenance says. */
  readonly inputs: readonly string[];
  /** Between the rebuilt file and the given one. */
  readonly difference: Difference | undefined;
}

export async function runReproduce(context: CommandContext, options: ReproduceOptions): CommandResult {
  const { file, scope, except } = options;
  const { provenance, digest: provenanceDigest } = await loadProvenance(options);
  const checkout = { sources: findSources(), node: process.versions.node, dodeka: context.version };
  if (!options.anyCheckout) requireSameCheckout(provenance, checkout);
  const signer = options.attest === undefined ? undefined : await openSigner(context, options.attest);
  const { digest } = await asStep(context, `hash ${basename(file)}`, () => streamArtifact(file, false));
  const home = await contextStore(context); // made where there is none; the work folder lies beside it
  return inWorkFolder(context, async (work) => {
    const rebuilt = await rebuild(context, provenance, { home, work, scope, except });
    const verdict = await compare(options, provenance, digest, rebuilt);
    context.print(renderVerdict(verdict), verdict);
    if (!verdict.equal) return 1;
    if (signer === undefined) return undefined;
    const { sources, ...builder } = checkout;
    const said: Rebuild = {
      subject: { name: provenance.subject.name, digest },
      scope,
      provenance: provenanceDigest,
      planId: provenance.planId,
      release: rebuilt.release.digest,
      sources,
      builder,
    };
    const bundle = await signStatement(Buffer.from(renderStatement(rebuildStatement(said))), signer);
    await replaceFile(`${file}${REBUILD_SUFFIX}`, renderBundle(bundle));
    context.reporter.note(`attested in ${basename(file)}${REBUILD_SUFFIX}`);
    return undefined;
  });
}

/** The statement's subject may differ from the file: what differs is then the answer. */
async function loadProvenance(options: ReproduceOptions): Promise<{ provenance: Provenance; digest: Sha256 }> {
  const file = options.provenance ?? `${options.file}${documentSuffix("provenance")}`;
  const bytes = await readBounded(file, EVIDENCE_MAX_BYTES);
  const statement = parseStatement(bytes, file);
  expectStatement(statement, "provenance", statement.subject.digest, file);
  return { provenance: readProvenance(statement, file), digest: sha256(bytes) };
}

/** A folder beside the store, so that hard links work; gone afterwards. */
async function inWorkFolder<T>(context: CommandContext, use: (work: string) => Promise<T>): Promise<T> {
  const prefix = join(dirname(context.settings.storeDir), "dodeka-reproduce-");
  const work = await mkdtemp(prefix).catch((error: unknown) => {
    throw describeWriteError(error, prefix);
  });
  try {
    return await use(work);
  } finally {
    await removeTree(work);
  }
}

async function compare(
  { file, scope, except }: ReproduceOptions,
  provenance: Provenance,
  digest: Sha256,
  rebuilt: Rebuilt,
): Promise<Verdict> {
  const difference =
    rebuilt.digest === digest
      ? undefined
      : await withReadableFile(rebuilt.path, (a) => withReadableFile(file, (b) => explainDifference(a, b)));
  const promised = provenance.subject.digest;
  return {
    equal: rebuilt.digest === digest && digest === promised,
    scope,
    except,
    file: basename(file),
    digests: { file: digest, rebuilt: rebuilt.digest, promised },
    inputs: differingInputs(provenance, rebuilt),
    difference,
  };
}

/** By name, so that a part of the release that came out otherwise is told from an image that did. */
function differingInputs(provenance: Provenance, { release, plan }: Rebuilt): readonly string[] {
  const parts = Object.entries(release.release.parts).flatMap(([name, part]): string[] => {
    const expected = provenance.dependencies.get(`part/${name}`)?.digest;
    return expected === part.digest ? [] : [`part ${name}: ${part.digest}, expected ${expected ?? "none"}`];
  });
  const members = compareTables("plan", jsonTable(provenance.plan), jsonTable(plan));
  return [
    ...parts,
    ...members.map(({ name, before, after }) => `plan ${name}: ${after ?? "none"}, expected ${before ?? "none"}`),
  ];
}

const MAX_LINES = 50;

function renderVerdict({ equal, scope, except, file, digests, inputs, difference }: Verdict): string {
  const compiled = `compiled${except.length === 0 ? "" : ` except ${except.join(", ")}`} and assembled in an empty store`;
  const what = scope === "everything" ? compiled : "assembled from the release";
  if (equal) return `equal: ${file} sha256:${digests.file}, ${what}\n`;
  const lines = [
    `differs: ${file}, ${what}`,
    `  the file         sha256:${digests.file}`,
    `  rebuilt          sha256:${digests.rebuilt}`,
    `  in provenance    sha256:${digests.promised}`,
    ...inputs.slice(0, MAX_LINES).map((line) => `  input ${line}`),
    ...(inputs.length > MAX_LINES ? [`  … and ${inputs.length - MAX_LINES} more inputs`] : []),
    ...(difference === undefined ? [] : differenceLines(difference)),
  ];
  return `${lines.join("\n")}\n`;
}

function differenceLines({ offset, path, parts, more }: Difference): readonly string[] {
  return [
    `first difference at byte ${offset}: ${path.join(" > ")}`,
    ...parts.map((part) => `  ${part.regions} region${part.regions === 1 ? "" : "s"} in ${part.path.join(" > ")}`),
    ...(more ? ["  … and more, which were not looked at"] : []),
  ];
}
