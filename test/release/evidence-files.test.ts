// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { putBytes } from "../../builder/host/store.ts";
import { joinCpioArchives, layoutCpio } from "../../builder/layout/cpio.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { initramfsFiles } from "../../builder/release/evidence-files.ts";
import { temporaryStore } from "../host/temp-store.ts";
import { cpioFile } from "../layout/cpio-samples.ts";
import { layoutBytes } from "../layout/layout-image.ts";

const store = await temporaryStore();

function stored(name: string, text: string): Layout {
  return layoutCpio([cpioFile(name, text)]);
}

function packed(name: string, text: string): Layout {
  return bytesLayout(zstdCompressSync(layoutBytes(stored(name, text))));
}

async function filesOf(...archives: readonly Layout[]): Promise<readonly string[]> {
  const files = await initramfsFiles(store, await putBytes(store, layoutBytes(joinCpioArchives([...archives]))));
  return files.map(({ path, bytes }) => `${path} ${Buffer.from(bytes).toString()}`);
}

test("initramfsFiles lists every packed archive, the later file of one name", async () => {
  assert.deepEqual(await filesOf(packed("b", "1"), packed("a", "2"), packed("b", "3")), ["a 2", "b 3"]);
});

test("initramfsFiles refuses an archive that is not packed, rather than leave its files out", async () => {
  for (const archives of [
    [packed("a", "1"), stored("b", "2")],
    [stored("b", "2"), packed("a", "1")],
  ])
    await assert.rejects(filesOf(...archives), { code: "FORMAT_INVALID" });
});
