// SPDX-License-Identifier: Apache-2.0
// Data for verity tests: block n holds n as 32 bits, little-endian, then its low byte up to 4096.

/** `blocks` blocks, in chunks of one. */
export async function* numberedBlocks(blocks: number): AsyncIterable<Uint8Array> {
  for (let n = 0; n < blocks; n++) {
    const block = new Uint8Array(4096).fill(n & 0xff);
    new DataView(block.buffer).setUint32(0, n, true);
    yield block;
  }
}
