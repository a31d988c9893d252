// SPDX-License-Identifier: Apache-2.0
import { bytesLayout } from "../../builder/layout/extent.ts";
import type { Layout } from "../../builder/layout/extent.ts";
import { assembleUki } from "../../builder/layout/uki.ts";
import { sampleStub } from "../layout/pe-samples.ts";

/** A UKI over the sample stub. Its kernel is text, which no decoder takes for anything. */
export function layoutUki(initrd: Layout, commandLine = "quiet panic=30 console=tty0 console=ttyS0"): Layout {
  const text = (content: string): Layout => bytesLayout(Buffer.from(content));
  return assembleUki({
    stub: sampleStub(),
    sections: [
      { name: ".osrel", content: text("ID=sample\n") },
      { name: ".cmdline", content: text(commandLine) },
      { name: ".uname", content: text("6.12.0") },
      { name: ".linux", content: text("kernel ".repeat(1000)) },
      { name: ".initrd", content: initrd },
    ],
  }).layout;
}
