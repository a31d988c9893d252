// SPDX-License-Identifier: Apache-2.0
// The texts of a release's SBOMs as a compile step: made once for a release and a version of the code that writes them,
// kept in the store, and only read by every build after that.
import { FactoryError, bug } from "../errors.ts";
import type { SourceInput } from "../evidence/provenance.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Store } from "../host/store.ts";
import { putBytes, readWholeBlob } from "../host/store.ts";
import type { BuiltinAction } from "../release/action.ts";
import { runAction } from "../release/action.ts";
import { fileOf } from "../release/tree.ts";
import type { Inventory } from "../../sbom/inventory.ts";
import type { Texts } from "../../sbom/texts.ts";
import { parseTexts, renderTexts } from "../../sbom/texts.ts";

const FILE = "texts";
const MAX_BYTES = 64 * 1024 * 1024;

export interface TextsRequest {
  readonly store: Store;
  readonly inventory: Inventory;
  /** Of the inventory's blob. */
  readonly digest: Sha256;
  /** This checkout's. */
  readonly sources: readonly SourceInput[];
}

/** From the store, or made and kept there, where one may write. */
export async function loadTexts({ store, inventory, digest, sources }: TextsRequest): Promise<Texts> {
  const make = async (): Promise<Texts> => {
    const { releaseTexts } = await import("../../sbom/release-texts.ts"); // loads the CycloneDX library
    return releaseTexts(inventory);
  };
  const perform: BuiltinAction["perform"] = async () => {
    return { [FILE]: { kind: "file", mode: 0o644, blob: await putBytes(store, renderTexts(await make())) } };
  };
  const builder = sourceDigest(sources, "sbom");
  const parameters = { inventory: digest, libraries: sourceDigest(sources, "package-lock.json") };
  const action: BuiltinAction = { kind: "builtin", name: "SBOM texts", inputs: {}, builder, parameters, perform };
  try {
    const kept = await runAction({ store, signal: undefined, onAction: () => () => undefined }, action);
    return parseTexts(Buffer.from(await readWholeBlob(store, fileOf(kept, FILE).digest, MAX_BYTES)));
  } catch (error) {
    if (!(error instanceof FactoryError) || !/^(OUTPUT_UNWRITABLE|DISK_FULL)$/.test(error.code)) throw error;
    return make();
  }
}

function sourceDigest(sources: readonly SourceInput[], name: string): Sha256 {
  const found = sources.find((s) => s.name === name);
  if (found === undefined) throw bug(`${name} is not among this checkout's sources`);
  return found.digest;
}
