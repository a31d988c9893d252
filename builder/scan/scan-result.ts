// SPDX-License-Identifier: Apache-2.0
// What a scan says, for every report alike.
import type { ScanComponent } from "./bom-components.ts";
import type { Finding } from "./match.ts";

/** The reports. */
export const SCAN_FORMATS = ["table", "json", "sarif", "cyclonedx"] as const;
/** How bad an open finding must be to fail a scan; an unknown severity is the worst. */
export const FAIL_ON = ["never", "any", "low", "medium", "high", "critical"] as const;

export interface ScanResult {
  /** What was scanned: an artifact's file name or an SBOM's. */
  readonly subject: string;
  /** SHA-256 of the artifact, when there was one. */
  readonly digest: string | undefined;
  readonly version: string;
  readonly components: readonly ScanComponent[];
  /** Package URLs that no ecosystem of the database stands for. */
  readonly skipped: readonly string[];
  /** Entries of the database. */
  readonly entries: number;
  /** Suppressed ones included. */
  readonly findings: readonly Finding[];
}
