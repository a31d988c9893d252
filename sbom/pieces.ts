// SPDX-License-Identifier: Apache-2.0
// The byte ranges of an artifact that have a name: files on its ESP (or of the one that it carries) and in its ISO9660 tree,
// boot code, partitions without a file system. Whoever holds the artifact's layout measures them; `describeArtifact` says what they are.
import { FactoryError } from "../builder/errors.ts";
import type { OutputPlan, PlacedItem, PlannedPartition } from "../builder/plan/plan.ts";

/** `offset` and `size` in bytes of the artifact. */
export type Piece = PlacedItem;

const MBR_BYTES = 512;

/** Sorted by offset; no two overlap. Outputs that are one blob or text have none. */
export function artifactPieces(output: OutputPlan): readonly Piece[] {
  switch (output.kind) {
    case "raw": {
      const plain = output.partitions.filter(({ name }) => name !== "EFI");
      const partitions = plain.map(({ name, offset, size }) => ({ name: `partition/${name}`, offset, size }));
      return inOrder([mbr(), ...espPieces(output.partitions, output.esp.files), ...partitions]);
    }
    case "iso": {
      const esp = partitionNamed(output.partitions, "EFI");
      // Entries of the ISO9660 tree that point into the ESP are the same bytes under a second name.
      const outside = output.files.filter(({ offset }) => offset < esp.offset || offset >= esp.offset + esp.size);
      const files = outside.map((file) => ({ ...file, name: `iso/${file.name}` }));
      return inOrder([mbr(), ...espPieces(output.partitions, output.esp.files), ...files]);
    }
    case "installer": {
      const documents = output.documents.map((item) => ({ ...item, name: `oci/${item.name}` }));
      return inOrder([...documents, ...carriedPieces(output.carried.files)]);
    }
    case "uki":
    case "initramfs":
      return inOrder(carriedPieces(output.carried.files));
    case "kernel":
    case "root":
    case "cmdline":
      return [];
    default:
      return output satisfies never;
  }
}

function mbr(): Piece {
  return { name: "mbr", offset: 0, size: MBR_BYTES };
}

function espPieces(partitions: readonly PlannedPartition[], files: readonly PlacedItem[]): readonly Piece[] {
  const { offset } = partitionNamed(partitions, "EFI");
  return files.map((file) => ({ name: espPiece(file.name), offset: offset + file.offset, size: file.size }));
}

function carriedPieces(files: readonly PlacedItem[]): readonly Piece[] {
  return files.map((file) => ({ ...file, name: espPiece(file.name) }));
}

/** The piece that is a file of the ESP. */
export function espPiece(name: string): string {
  return `esp/${name}`;
}

function partitionNamed(partitions: readonly PlannedPartition[], name: string): PlannedPartition {
  const found = partitions.find((p) => p.name === name);
  if (found !== undefined) return found;
  throw new FactoryError({ code: "BUG", field: name, expected: "a partition of the plan", fix: "report this defect" });
}

function inOrder(pieces: readonly Piece[]): readonly Piece[] {
  return pieces.toSorted((a, b) => a.offset - b.offset);
}
