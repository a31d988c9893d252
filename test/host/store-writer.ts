// SPDX-License-Identifier: Apache-2.0
// A program for store.test.ts: puts blobs made from a seed into a store, for ever or a given number of times, and prints
// each digest once it is stored. Equal seeds put equal blobs.
import { createHash } from "node:crypto";
import { openStore, putBytes, writeRef } from "../../builder/host/store.ts";

const [, , dir = "", seed = "", count = "1000000"] = process.argv;
const store = await openStore(dir);
for (let i = 0; i < Number(count); i++) {
  const block = createHash("sha256").update(`${seed} ${i}`).digest();
  const { digest } = await putBytes(store, Buffer.concat(Array.from({ length: 2048 + i }, () => block)));
  await writeRef(store, "latest", digest);
  process.stdout.write(`${digest}\n`);
}
