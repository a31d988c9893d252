// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../builder/layout/digest.ts";
import { buildVerity, verityTable } from "../../builder/layout/verity.ts";
import { numberedBlocks } from "./verity-samples.ts";

const SALT = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UUID = "01020304-0506-8708-890a-0b0c0d0e0f10";

/** What veritysetup 2.7.5 wrote: --salt=SALT|- --uuid=UUID over `numberedBlocks`; the digest is of its hash file. */
const KNOWN: readonly (readonly [blocks: number, salt: string, root: string, hashFile: string, hashBlocks: number])[] =
  [
    [
      1,
      "",
      "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7",
      "f1511abb95e849021ad8116cc1154f8bdbb6699546e63d5a1cce49dea28c460d",
      0,
    ],
    [
      2,
      "",
      "1e276114e2b0771234346dd3a212c4d86b4a218fe27dd1eec0f79e3093be1a14",
      "491b10c48e4e383088685d922df8893ba202e821e5e390e9a11e43b640e4afc6",
      1,
    ],
    [
      128,
      "",
      "55e64415ea96351628d4bf5ab8e345896ace14c966079ec1d2e1da48e2560c36",
      "80710be346a0c36f45902db7703b9ef81e826da7a14b0ffbc2bb21e119a461f8",
      1,
    ],
    [
      129,
      "",
      "295d2740a7f25d16ee6019e2b9782612c37254009bd4647a76f6529e468ed665",
      "a2881bf3d68fe0e5711ea13b43f03d5a7c9bcc38d9a948c4e5a965bd8e6bce4b",
      3,
    ],
    [
      16385,
      "",
      "4b79657d373a0a174a2fe36f00acdf6d97aa7ec74235eeaefc066ed8bdc66b9b",
      "fba4604a7bb7c0a30889d1031794acf451867d19b8785c93be32e034511cc8c8",
      132,
    ],
    [
      1,
      SALT,
      "582bee8867035288473e1a2b13836ad02a03756330e41b91c1a13a0d44196bc8",
      "653410dc5f8915a8ef225951ae4d266a5538422558a194c91244c42b4eedb747",
      0,
    ],
    [
      2,
      SALT,
      "2085631bc8abb6f61983bed2caa2120f5b5c7b2d16dd7f88b24a1bd7bf5e49b3",
      "eea714af8945c7e993591b415a73a62204ac7b652eae0b942252784e111bc073",
      1,
    ],
    [
      128,
      SALT,
      "24d23b1f6438ed1a308b027ab722289e1477133fe2c7ce54fec5a397f9f0da6e",
      "db0ec35d3be36c13e9f3dc3cedcca112365cbc0896e6d24939b3f408214e62f7",
      1,
    ],
    [
      129,
      SALT,
      "43fd598fb920218a53ff0344cad3791d06c08d16152ec4dcdd08f9767828dd48",
      "94cffb6659a13e8b5ca38859b9095b87259cdf0e8049c07331220005c7bf2f02",
      3,
    ],
    [
      16385,
      SALT,
      "603adfecd6595a93185c3e5b25ef6f6ee4185c712d501b209d3a58735f5ed5fe",
      "70774dd54d6262c5a8a8bba644d80f2dad17ac291def1b127f625115b4dd7c77",
      132,
    ],
  ];

for (const [blocks, salt, root, hashFile, hashBlocks] of KNOWN) {
  test(`buildVerity agrees with veritysetup on ${blocks} blocks, ${salt === "" ? "no" : "a"} salt`, async () => {
    const verity = await buildVerity(numberedBlocks(blocks), { salt: Buffer.from(salt, "hex"), uuid: UUID });
    assert.equal(verity.rootHash, root);
    assert.deepEqual([verity.dataBlocks, verity.hashBlocks], [blocks, hashBlocks]);
    assert.equal(verity.hashArea.length, (1 + hashBlocks) * 4096);
    assert.equal(sha256(verity.hashArea), hashFile);
  });
}

async function* chunks(...parts: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

test("buildVerity does not depend on how the data is cut", async () => {
  const data = Uint8Array.from({ length: 3 * 4096 + 100 }, (_, i) => (i * 7) & 0xff);
  const options = { salt: new Uint8Array(), uuid: UUID };
  const want = await buildVerity(chunks(data), options);
  for (const size of [1, 100, 4095, 4096, 4097, 9000]) {
    const parts = Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
      data.subarray(i * size, (i + 1) * size),
    );
    assert.deepEqual(await buildVerity(chunks(...parts, new Uint8Array()), options), want);
  }
});

test("buildVerity counts the last block as padded with zeros", async () => {
  const options = { salt: new Uint8Array(), uuid: UUID };
  const padded = new Uint8Array(8192);
  padded.fill(9, 0, 5000);
  assert.deepEqual(
    await buildVerity(chunks(padded.subarray(0, 5000)), options),
    await buildVerity(chunks(padded), options),
  );
});

test("buildVerity refuses no data and a salt over 256 bytes", async () => {
  await assert.rejects(buildVerity(chunks(), { salt: new Uint8Array(), uuid: UUID }), { code: "LAYOUT_INVALID" });
  await assert.rejects(buildVerity(chunks(), { salt: new Uint8Array(257), uuid: UUID }), { code: "LAYOUT_INVALID" });
});

test("verityTable is the kernel's line for data, superblock and tree in one file", async () => {
  const salt = Buffer.from("abcd", "hex");
  const verity = await buildVerity(numberedBlocks(129), { salt, uuid: UUID });
  const line = verityTable("/dev/loop0", verity, salt);
  assert.equal(line, `0 1032 verity 1 /dev/loop0 /dev/loop0 4096 4096 129 130 sha256 ${verity.rootHash} abcd`);
  assert.match(verityTable("/dev/loop0", verity, new Uint8Array()), / -$/);
});
