// SPDX-License-Identifier: Apache-2.0
// What changed between two of anything: records of text by name are compared, and kernel arguments as a list. A change
// belongs to a section; sections come in one order everywhere.
import type { Inventory, Item } from "./inventory.ts";

export const SECTIONS = [
  "size",
  "components",
  "kernel arguments",
  "kernel configuration",
  "kernel modules",
  "PCR values",
  "identifiers",
  "parts",
  "files",
  "plan",
] as const;

export type Section = (typeof SECTIONS)[number];

/** `before` is absent for something added, `after` for something removed. */
export interface Change {
  readonly section: Section;
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}

/** Compares two tables of text. Order: as in `a`, then what only `b` has. */
export function compareTables(
  section: Section,
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>,
): readonly Change[] {
  const names = [...a.keys(), ...[...b.keys()].filter((name) => !a.has(name))];
  return names.flatMap((name): Change[] => {
    const [before, after] = [a.get(name), b.get(name)];
    if (before === after) return [];
    return [{ section, name, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  });
}

/** Compares command lines word by word: `name=value` by name, repeated names by their values together. */
export function compareArguments(a: string, b: string): readonly Change[] {
  return compareTables("kernel arguments", argumentTable(a), argumentTable(b));
}

function argumentTable(commandLine: string): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  for (const word of commandLine.split(/\s+/).filter((w) => w !== "")) {
    const name = word.split("=")[0] ?? word;
    const value = word.includes("=") ? word.slice(name.length + 1) : "(set)";
    const known = table.get(name);
    table.set(name, known === undefined ? value : `${known} ${value}`);
  }
  return table;
}

const MODULE = /(?:^|\/)([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/;
const ARGUMENTS = /: kernel arguments$/;

/** Two artifacts, or two parts of releases. */
export function compareInventories(a: Inventory, b: Inventory): readonly Change[] {
  const [isModule, isFile] = [(name: string) => MODULE.test(name), (name: string) => !MODULE.test(name)];
  const argumentsOf = (i: Inventory): string => [...i.values].find(([name]) => ARGUMENTS.test(name))?.[1] ?? "";
  const plain = (i: Inventory): ReadonlyMap<string, string> =>
    new Map([...i.values].filter(([n]) => !ARGUMENTS.test(n)));
  return [
    ...compareTables("size", new Map([["bytes", String(a.size)]]), new Map([["bytes", String(b.size)]])),
    ...compareTables("size", new Map([["format", a.format]]), new Map([["format", b.format]])),
    ...compareArguments(argumentsOf(a), argumentsOf(b)),
    ...compareTables("kernel modules", itemTable(a, isModule), itemTable(b, isModule)),
    ...compareTables("PCR values", pcrTable(a), pcrTable(b)),
    ...compareTables("identifiers", plain(a), plain(b)),
    ...compareTables("files", itemTable(a, isFile), itemTable(b, isFile)),
  ];
}

function pcrTable({ pcr11 }: Inventory): ReadonlyMap<string, string> {
  return new Map([...pcr11].map(([uki, value]) => [`PCR 11 of ${uki}`, value]));
}

function itemTable({ items }: Inventory, wanted: (name: string) => boolean): ReadonlyMap<string, string> {
  return new Map([...items].flatMap(([name, item]) => (wanted(name) ? [[name, itemText(item, name)] as const] : [])));
}

/** All that is compared of a file, in words. The real name counts too, where the table's is general. */
function itemText(item: Item, name: string): string {
  const { path, kind, size, mode, owner, target, device, sha256 } = item;
  const words = [
    kind,
    mode,
    owner,
    kind === "directory" ? undefined : `${size} bytes`,
    target === undefined ? undefined : `-> ${target}`,
    device,
    sha256 === undefined ? undefined : `sha256:${sha256}`,
    lastOf(path) === lastOf(name) ? undefined : `as ${lastOf(path)}`,
  ];
  return words.filter((word) => word !== undefined).join(" ");
}

function lastOf(path: string): string {
  return path.split("/").at(-1) ?? path;
}
