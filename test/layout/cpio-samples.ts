// SPDX-License-Identifier: Apache-2.0
// Entries for cpio tests, in an order that is not the archive's.
import type { CpioEntry } from "../../builder/layout/cpio.ts";
import { bytesLayout } from "../../builder/layout/extent.ts";

const OWNER = { uid: 0, gid: 0, mtimeSeconds: 1_700_000_000 };

export function cpioFile(path: string, text: string): CpioEntry {
  return { ...OWNER, kind: "file", path, mode: 0o644, content: bytesLayout(Buffer.from(text, "latin1")) };
}

export function cpioDirectory(path: string): CpioEntry {
  return { ...OWNER, kind: "directory", path, mode: 0o755 };
}

export const CPIO_SAMPLE: readonly CpioEntry[] = [
  cpioFile("etc/hosts", "127.0.0.1 localhost\n"),
  cpioDirectory("etc"),
  cpioFile("etc-old", ""),
  { ...OWNER, kind: "file", path: "init", mode: 0o4755, uid: 3, gid: 5, content: bytesLayout(Buffer.from("#!\n")) },
  { ...OWNER, kind: "symlink", path: "bin", mode: 0o777, target: "usr/bin" },
  cpioDirectory("usr"),
  cpioDirectory("usr/bin"),
  cpioFile("usr/bin/größe 😀", "x"),
  cpioFile("usr/bin/\ufb33", "y"),
  cpioDirectory("dev"),
  { ...OWNER, kind: "device", path: "dev/console", mode: 0o600, device: "char", major: 5, minor: 1 },
  { ...OWNER, kind: "device", path: "dev/loop0", mode: 0o660, gid: 6, device: "block", major: 7, minor: 0 },
];
