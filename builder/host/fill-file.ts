// SPDX-License-Identifier: Apache-2.0
// Puts the bytes of a layout into an empty file, front to back, holes left out.
import { closeSync, openSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { dataLength, isHole } from "../encode/holes.ts";
import { readExtent } from "../encode/read-layout.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Extent, Layout } from "../layout/extent.ts";
import type { FileRange } from "./range-hasher.ts";
import { createStagedWriter } from "./staged-writer.ts";
import type { StagedWriter } from "./staged-writer.ts";

const YIELD_BYTES = 16 << 20; // about 4 ms of copying between two looks at signals and timers

export interface FillRequest {
  readonly handle: FileHandle;
  readonly layout: Layout;
  readonly blobs: BlobSource;
  /** Each range, once it is in the file, in order and without gaps. */
  readonly onRange: (range: FileRange) => void;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Truncates the file to the layout's length, then writes. Throws what the layout's blobs and the file system throw. */
export async function fillFile(request: FillRequest): Promise<void> {
  const { handle, layout, blobs } = request;
  await handle.truncate(layout.length);
  const pace = createPace(request);
  const writer = createStagedWriter(handle.fd, request.onRange);
  for (const extent of layout.extents) {
    if (isHole(extent)) {
      writer.skip(extent.length);
      continue;
    }
    const path = extent.source.kind === "blob" ? await blobs.path?.(extent.source.digest) : undefined;
    if (extent.source.kind === "blob" && path !== undefined) {
      await copyRange(writer, { ...extent.source, path, length: extent.length }, pace);
    } else await putExtent(writer, extent, blobs, pace);
  }
  writer.flush();
}

type Pace = (bytes: number) => Promise<void> | undefined;

async function putExtent(writer: StagedWriter, extent: Extent, blobs: BlobSource, pace: Pace): Promise<void> {
  for await (const chunk of readExtent(extent, blobs)) {
    writer.put(chunk);
    await pace(chunk.length);
  }
}

interface FileSlice {
  readonly digest: Sha256;
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

async function copyRange(writer: StagedWriter, slice: FileSlice, pace: Pace): Promise<void> {
  const fd = openBlob(slice);
  try {
    for (let done = 0; done < slice.length;) {
      const read = writer.pull(fd, slice.offset + done, slice.length - done);
      if (read === 0) throw tooShort(slice, slice.offset + done);
      done += read;
      await pace(read);
    }
  } finally {
    closeSync(fd);
  }
}

/** Counts data bytes, reports them, and lets the event loop run after every 16 MiB. */
function createPace({ layout, onProgress, signal }: FillRequest): Pace {
  const total = dataLength(layout);
  let done = 0;
  let yieldAt = YIELD_BYTES;
  return (bytes) => {
    done += bytes;
    onProgress?.(done, total);
    if (done < yieldAt) return undefined;
    yieldAt = done + YIELD_BYTES;
    return setImmediate().then(() => signal?.throwIfAborted());
  };
}

function openBlob({ digest, path }: FileSlice): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    const [field, expected, fix] = [`blob ${digest}`, "the blob in the store", "build the release again"];
    throw new FactoryError({ code: "STORE_MISSING", file: path, field, expected, fix, cause });
  }
}

function tooShort({ digest, path, offset, length }: FileSlice, found: number): FactoryError {
  const [field, expected] = [`blob ${digest}`, `bytes up to offset ${offset + length}`];
  const fix = "remove the blob from the store and build the release again";
  return new FactoryError({ code: "STORE_CORRUPT", file: path, field, found, expected, fix });
}
