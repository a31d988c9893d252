// SPDX-License-Identifier: Apache-2.0
// Debian packages for tests, good ones and such as no packager would make.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { xz } from "@napi-rs/lzma";
import { pack } from "tar-stream";
import type { Header } from "tar-stream";

export type SampleEntry = Partial<Header> & Pick<Header, "name"> & { readonly content?: string };

export async function tarOf(entries: readonly SampleEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = "", ...header } of entries) tar.entry(header, content);
  tar.finalize();
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>));
}

/** One member of an ar archive. `size` only differs from the content's in broken ones. */
export function arMember(name: string, content: Uint8Array, size: string = String(content.length)): Buffer {
  const fields = [name.padEnd(16), "0".padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8), size.padEnd(10)];
  return Buffer.concat([Buffer.from(`${fields.join("")}\`\n`), content, Buffer.alloc(content.length % 2, "\n")]);
}

export function arOf(members: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from("!<arch>\n"), ...members]);
}

/** A whole package whose data.tar.xz holds `tar`. */
export async function debOf(tar: Uint8Array): Promise<Buffer> {
  const data = await xz.compress(tar);
  const control = await xz.compress(await tarOf([{ name: "./control", content: "Package: sample\n" }]));
  return arOf([
    arMember("debian-binary", Buffer.from("2.0\n")),
    arMember("control.tar.xz", control),
    arMember("data.tar.xz", data),
  ]);
}

/** Writes a package of these entries and returns its path. */
export async function sampleDeb(dir: string, entries: readonly SampleEntry[], name = "sample.deb"): Promise<string> {
  const path = join(dir, name);
  writeFileSync(path, await debOf(await tarOf(entries)));
  return path;
}
