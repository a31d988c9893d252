// SPDX-License-Identifier: Apache-2.0
// What a machine's memory is used for, as its own kernel counts it. In use is MemTotal less MemAvailable: all that no
// program can have without swapping. It holds what the kernel keeps free for itself, and half of the page cache up to
// the low watermarks, but not the kernel's own image and page descriptors, which MemTotal never had.
// Spec: proc_meminfo(5), si_mem_available in the kernel's mm/show_mem.c.

const PAGE_KB = 4;

/** Lines of /proc/meminfo that are neither free nor cache, with the words for them. */
const HELD: Readonly<Record<string, string>> = {
  AnonPages: "programs' own",
  Shmem: "files in memory",
  Unevictable: "pages that must stay, such as those of an initramfs",
  SUnreclaim: "kernel objects",
  PageTables: "page tables",
  KernelStack: "kernel stacks",
  Percpu: "data of each processor",
};

/** Everything in MB. The parts add up to the whole. */
export interface MemoryUse {
  readonly inUse: number;
  readonly parts: Readonly<Record<string, number>>;
}

/** Takes the text of /proc/meminfo and /proc/zoneinfo. Throws for a line that is not there. */
export function memoryUse(meminfo: string, zoneinfo: string): MemoryUse {
  const kb = (name: string): number => lineOf(meminfo, name);
  const lowPages = [...zoneinfo.matchAll(/^ +low +(\d+)$/gm)].reduce((sum, [, pages]) => sum + Number(pages), 0);
  const kept = (cache: number): number => Math.min(cache / 2, lowPages * PAGE_KB);
  const inUse = kb("MemTotal") - kb("MemAvailable");
  const [files, objects] = [kb("Active(file)") + kb("Inactive(file)"), kb("KReclaimable")];
  const parts: Record<string, number> = {
    "kept free by the kernel": kb("MemFree") + files - kept(files) + objects - kept(objects) - kb("MemAvailable"),
    "page cache not counted as available": kept(files),
    "kernel caches not counted as available": kept(objects),
  };
  for (const [name, words] of Object.entries(HELD)) parts[words] = kb(name);
  parts["else, such as drivers' buffers"] = inUse - Object.values(parts).reduce((a, b) => a + b, 0);
  return {
    inUse: megabytes(inUse),
    parts: Object.fromEntries(Object.entries(parts).map(([k, v]) => [k, megabytes(v)])),
  };
}

/** Resident memory of a process from /proc/PID/status, in MB: its own, and pages of files, which may go any time. */
export function residentMemory(status: string): { readonly own: number; readonly files: number } {
  return { own: megabytes(lineOf(status, "RssAnon")), files: megabytes(lineOf(status, "RssFile")) };
}

function lineOf(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name}:`));
  const value = Number(/(\d+) kB$/.exec(line ?? "")?.[1]);
  if (Number.isNaN(value)) throw new Error(`found no ${name} in kB in\n${text}`);
  return value;
}

const megabytes = (kb: number): number => (kb * 1024) / 1e6;
