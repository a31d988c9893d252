// SPDX-License-Identifier: Apache-2.0
// Reads a screenshot of a text console without knowing its font: where the text is known, equal characters must look
// equal and different ones different. Spec: ppm(5), magic number P6, 8 bits per sample, no comments.
import assert from "node:assert/strict";

interface Picture {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Red, green, blue; row by row from the top. */
  readonly samples: Buffer;
}

const TEXT_MODE_WIDTH = 720; // VGA text mode 3 draws its 80 columns 9 pixels wide; every frame buffer console 8
const CELL_HEIGHT = 16;

/** Asserts that the top left corner of the display shows these rows. Rows that are not named may hold anything. */
export function assertShows(ppm: Uint8Array, rows: ReadonlyMap<number, string>): void {
  const picture = decodePpm(ppm);
  const looks = new Map<string, string>();
  for (const [row, text] of rows) {
    for (const [column, character] of text.split("").entries()) {
      const look = cellAt(picture, row, column);
      const known = looks.get(character) ?? look;
      assert.equal(look, known, `row ${row}, column ${column}: the screen does not show ${JSON.stringify(text)}`);
      looks.set(character, known);
    }
  }
  assert.equal(new Set(looks.values()).size, looks.size, "different characters look the same");
}

function decodePpm(ppm: Uint8Array): Picture {
  const bytes = Buffer.from(ppm);
  const header = /^P6\s(\d+)\s(\d+)\s255\s/.exec(bytes.toString("latin1", 0, 64));
  assert.ok(header?.[1] !== undefined && header[2] !== undefined, "not a PPM of 8 bits");
  const [width, height] = [Number(header[1]), Number(header[2])];
  const samples = bytes.subarray(header[0].length);
  assert.equal(samples.length, width * height * 3);
  return { width, height, samples };
}

/** The samples of one character cell, as text. */
function cellAt({ width, samples }: Picture, row: number, column: number): string {
  const cellWidth = width === TEXT_MODE_WIDTH ? 9 : 8;
  const lines = Array.from({ length: CELL_HEIGHT }, (_, line) => {
    const start = ((row * CELL_HEIGHT + line) * width + column * cellWidth) * 3;
    return samples.toString("latin1", start, start + cellWidth * 3);
  });
  return lines.join("");
}
