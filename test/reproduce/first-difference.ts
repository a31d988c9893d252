// SPDX-License-Identifier: Apache-2.0
// Says where two builds part: the first differing byte of an image and the field that it lies in, by the plan's
// geometry, or the first differing member of two JSON documents.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { CarriedEsp, OutputPlan, PlacedItem } from "../../builder/plan/plan.ts";

const CHUNK_BYTES = 1024 * 1024;
const GPT_ENTRY_BYTES = 128 * 128;

/** Offset of the first byte that differs, or the length of the shorter file; undefined when the files are equal. */
export async function firstDifference(a: string, b: string): Promise<number | undefined> {
  const other = createReadStream(b, { highWaterMark: CHUNK_BYTES })[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(a, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    while (held.length < chunk.length) {
      const next = (await other.next()) as IteratorResult<Buffer>;
      if (next.done === true) break;
      held = Buffer.concat([held, next.value]);
    }
    const part = held.subarray(0, chunk.length);
    if (!chunk.equals(part)) {
      const at = chunk.findIndex((byte, i) => byte !== part[i]);
      await other.return?.();
      return offset + at;
    }
    held = held.subarray(chunk.length);
    offset += chunk.length;
  }
  await other.return?.();
  return (await stat(b)).size === offset ? undefined : offset;
}

/** What lies at an offset of an output: `partition EFI, EFI/Linux/x.efi, section .linux, byte 12 of it`. */
export function locateOffset(plan: OutputPlan, offset: number): string {
  switch (plan.kind) {
    case "raw":
      return inDisk(plan, offset, plan.sectorBytes);
    case "iso": {
      const file = itemAt(plan.files, offset);
      const isPartition = itemAt(plan.partitions, offset) !== undefined;
      if (isPartition || offset < 512 + 512 + GPT_ENTRY_BYTES) return inDisk(plan, offset, 512);
      if (file !== undefined) return `${file.name}, byte ${offset - file.offset} of it`;
      return `ISO9660 structures, block ${Math.floor(offset / 2048)}, byte ${offset % 2048} of it`;
    }
    case "uki":
      return inCarried(plan.carried, offset) ?? inUki(plan.sections, offset);
    case "installer":
    case "initramfs":
      return inCarried(plan.carried, offset) ?? `byte ${offset} of the ${plan.kind}`;
    case "kernel":
    case "root":
    case "cmdline":
      return `byte ${offset} of the ${plan.kind}`;
    default:
      return plan satisfies never;
  }
}

type DiskPlan = Extract<OutputPlan, { readonly kind: "raw" | "iso" }>;

function inDisk(plan: DiskPlan, offset: number, sectorBytes: number): string {
  const partition = itemAt(plan.partitions, offset);
  if (partition === undefined) {
    if (offset < sectorBytes) return `MBR, byte ${offset}`;
    if (offset < 2 * sectorBytes) return `GPT header, byte ${offset - sectorBytes} of it`;
    if (offset < 2 * sectorBytes + GPT_ENTRY_BYTES) return inEntries(offset - 2 * sectorBytes, "GPT");
    const backup = plan.size - sectorBytes - GPT_ENTRY_BYTES;
    if (offset >= plan.size - sectorBytes) return `backup GPT header, byte ${offset - (plan.size - sectorBytes)} of it`;
    return offset >= backup ? inEntries(offset - backup, "backup GPT") : "space between partitions";
  }
  const within = offset - partition.offset;
  if (partition.name !== "EFI") return `partition ${partition.name}, byte ${within} of it`;
  const file = itemAt(plan.esp.files, within);
  if (file === undefined) return `partition EFI, FAT structures, byte ${within} of the volume`;
  return `partition EFI, ${inEspFile(file, plan.uki, within)}`;
}

function inCarried({ files, uki }: CarriedEsp, offset: number): string | undefined {
  const file = itemAt(files, offset);
  return file === undefined ? undefined : `carried ${inEspFile(file, uki, offset)}`;
}

function inEspFile({ name, offset: start }: PlacedItem, uki: readonly PlacedItem[], offset: number): string {
  const inFile = offset - start;
  const where = name.endsWith(".efi") && name.includes("/Linux/") ? inUki(uki, inFile) : `byte ${inFile} of it`;
  return `${name}, ${where}`;
}

function inEntries(offset: number, which: string): string {
  return `${which} entry ${Math.floor(offset / 128) + 1}, byte ${offset % 128} of it`;
}

function inUki(sections: readonly PlacedItem[], offset: number): string {
  const section = itemAt(sections, offset);
  if (section !== undefined) return `section ${section.name}, byte ${offset - section.offset} of it`;
  return `the stub and its headers, byte ${offset} of the UKI`;
}

function itemAt<T extends PlacedItem>(items: readonly T[], offset: number): T | undefined {
  return items.find((item) => offset >= item.offset && offset < item.offset + item.size);
}

/** `root.hash: "a" and "b"`: the first member that differs, in the order of `a`; undefined when the values are equal. */
export function firstDifferingMember(a: unknown, b: unknown, at: string = ""): string | undefined {
  if (!isObject(a) || !isObject(b)) {
    return JSON.stringify(a) === JSON.stringify(b) ? undefined : `${at}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifferingMember(a[key], b[key], at === "" ? key : `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
