// SPDX-License-Identifier: Apache-2.0
// The plan's epoch as text. Spec: RFC 3339, in UTC and whole seconds, as CycloneDX and SPDX want it.
import { civilTime } from "../builder/layout/civil-time.ts";

/** `2026-11-22T08:00:00Z`. Throws LAYOUT_OVERFLOW outside the years 1970 to 9999. */
export function rfc3339(epochSeconds: number): string {
  const t = civilTime(epochSeconds, { format: "RFC 3339", first: 1970, last: 9999 });
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${t.year}-${two(t.month)}-${two(t.day)}T${two(t.hour)}:${two(t.minute)}:${two(t.second)}Z`;
}
