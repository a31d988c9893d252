// SPDX-License-Identifier: Apache-2.0
// systemd-measure predicts PCR 11 from the same sections.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MEASURED_SECTIONS, predictPcr11 } from "../../builder/compare/pcr11.ts";
import { bytesImage } from "../../builder/compare/sub-image.ts";
import { patternBytes } from "../layout/layout-image.ts";
import { judge } from "./judge.ts";

const dir = mkdtempSync(join(tmpdir(), "pcr11-"));
after(() => rmSync(dir, { recursive: true }));

const CASES: readonly (readonly [name: string, sections: readonly string[]])[] = [
  ["every section", MEASURED_SECTIONS.filter((s) => s !== ".dtb")],
  ["the sections of our UKIs", [".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat"]],
];

for (const [name, sections] of CASES) {
  test(`systemd-measure predicts the same PCR 11 for ${name}`, async () => {
    const run = await judge();
    const contents = new Map(sections.map((s, i) => [s, patternBytes(1000 + i * 1_000_001, i)]));
    const options = [...contents].map(([section, bytes]) => {
      const file = join(dir, section);
      writeFileSync(file, bytes);
      return `--${section.slice(1)}=${file}`;
    });
    const phases = ["enter-initrd", "enter-initrd:leave-initrd"];
    const argv = ["/usr/lib/systemd/systemd-measure", "calculate", "--bank=sha256", "--json=short", ...options];
    const { exitCode, stdout, stderr } = await run([...argv, ...phases.map((p) => `--phase=${p}`)], [dir]);
    assert.equal(exitCode, 0, stderr);
    const { sha256 } = JSON.parse(stdout) as { sha256: readonly { phase: string; hash: string }[] };
    assert.deepEqual(
      sha256.map(({ phase }) => phase),
      phases,
    );
    const images = new Map([...contents].map(([section, bytes]) => [section, bytesImage(section, bytes)]));
    for (const { phase, hash } of sha256) {
      assert.equal(await predictPcr11(images, phase.split(":")), hash, phase);
    }
  });
}
