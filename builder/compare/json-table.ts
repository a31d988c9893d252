// SPDX-License-Identifier: Apache-2.0
// A JSON document as a table from dotted path to value, so that documents can be compared member by member.

/** Elements of a list that have a `name` or `file` go by it: an inserted element does not rename the rest. */
export function jsonTable(value: unknown, path = ""): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  const visit = (at: unknown, name: string): void => {
    if (Array.isArray(at)) {
      const seen = new Set<string>();
      at.forEach((element: unknown, i) => {
        const label = labelOf(element);
        const key = label === undefined || seen.has(label) ? String(i) : label;
        seen.add(key);
        visit(element, `${name}[${key}]`);
      });
      if (at.length === 0) table.set(name, "[]");
    } else if (typeof at === "object" && at !== null) {
      const members = Object.entries(at);
      for (const [member, inner] of members) visit(inner, name === "" ? member : `${name}.${member}`);
      if (members.length === 0) table.set(name, "{}");
    } else table.set(name, typeof at === "string" ? at : JSON.stringify(at));
  };
  visit(value, path);
  return table;
}

function labelOf(element: unknown): string | undefined {
  if (typeof element !== "object" || element === null) return undefined;
  const { file, name } = element as { file?: unknown; name?: unknown };
  if (typeof file === "string") return file;
  return typeof name === "string" ? name : undefined;
}

/** `CONFIG_X=y` lines by name; `# CONFIG_X is not set` is n. */
export function kernelConfigTable(text: string): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  for (const line of text.split("\n")) {
    const set = /^(CONFIG_\w+)=(.*)$/.exec(line);
    const unset = /^# (CONFIG_\w+) is not set$/.exec(line);
    if (set?.[1] !== undefined) table.set(set[1], set[2] ?? "");
    else if (unset?.[1] !== undefined) table.set(unset[1], "n");
  }
  return table;
}
