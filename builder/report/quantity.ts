// SPDX-License-Identifier: Apache-2.0
// Durations and sizes as people read them. For display only: both round.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** "0.04 s", "12.3 s", "2 min 03 s", "1 h 02 min". */
export function formatDuration(ms: number): string {
  if (ms < 995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${twoDigits(Math.floor(seconds / 60) % 60)} min`;
}

/** "513 bytes", "12.5 MiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
