// SPDX-License-Identifier: Apache-2.0
// Takes from an inventory what one artifact needs: owners, all that they depend on, and the licence texts they name.
import type { Component } from "./inventory.ts";

/** The components named by `owners` and all that they depend on, sorted by id. Ids that are not known name none. */
export function selectComponents(known: readonly Component[], owners: ReadonlySet<string>): readonly Component[] {
  const byId = new Map(known.map((c) => [c.id, c]));
  const selected = new Map<string, Component>();
  const queue = [...owners];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const component = byId.get(id);
    if (component === undefined || selected.has(id)) continue;
    selected.set(id, component);
    queue.push(...component.dependsOn);
  }
  return [...selected.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The texts of the LicenseRefs that the components' licences name. */
export function usedLicences(
  components: readonly Component[],
  texts: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const used = new Set(components.flatMap((c) => c.licence.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []));
  return Object.fromEntries(Object.entries(texts).filter(([ref]) => used.has(ref)));
}
