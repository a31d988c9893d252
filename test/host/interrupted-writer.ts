// SPDX-License-Identifier: Apache-2.0
// A program for image-file.test.ts: writes without end, says so, and ends on SIGINT by an abort or by exiting at once.
import { setTimeout } from "node:timers/promises";
import { writeImageFile } from "../../builder/host/image-file.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import { blobLayout } from "../../builder/layout/extent.ts";

const [, , path = "", how = ""] = process.argv;
const controller = new AbortController();
process.once("SIGINT", () => {
  if (how === "exit") process.exit(3);
  controller.abort();
});

async function* slowly(): AsyncIterable<Uint8Array> {
  for (let sent = 0; ; sent++) {
    if (sent === 20) console.log("under way");
    yield new Uint8Array(1 << 20);
    if (sent >= 20) await setTimeout(5);
  }
}

const layout = blobLayout({ digest: sha256("slow"), size: 2 ** 30 });
await writeImageFile({ layout, blobs: { read: slowly }, path, signal: controller.signal }).catch(
  (error: { code?: string }) => {
    process.exitCode = error.code === "CANCELLED" ? 130 : 1;
  },
);
